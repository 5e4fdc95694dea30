"""A read model built anew and cut over to while its source changes, by the real commands and daemon."""

from functools import partial

import pytest

from tests.end_to_end.harness import Service, wait_until
from tests.end_to_end.rebuilds import begin_to_cut_over, done, reading, rebuilding
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, VIEW, Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    read_model,
    stream_numbers,
    wait_until_checkpointed,
)

RATE = 50


def phase(stage: Stage) -> str:
    row = stage.aws.dynamodb.get_item(
        TableName=f"{stage.application}-positions", Key={"key": {"S": "control"}}, ConsistentRead=True
    ).get("Item", {})
    return str(row[f"processor/{VIEW}"]["M"]["phase"]["S"]) if row else "never"


def pointed(stage: Stage) -> str:
    """The table a reader finds, as docs/rebuild.md says."""
    row = stage.aws.dynamodb.get_item(
        TableName=f"{stage.application}-positions", Key={"key": {"S": f"table/{VIEW}"}}, ConsistentRead=True
    ).get("Item")
    return row["table"]["S"] if row else stage.view


def fewer_than(rows: int, stage: Stage) -> str | None:
    """What is wrong for somebody who reads through the pointer; None, if there are that many."""
    table = pointed(stage)
    found = len(read_model(stage, table).rows)
    return f"{found} rows in {table}" if found < rows else None


@pytest.mark.timeout(600)
def test_a_model_is_built_anew_and_cut_over_to_during_live_traffic(stage: Stage) -> None:
    shop = Shop(stage)
    settings = stage.write_settings()
    for number in range(20):
        stage.aws.dynamodb.put_item(TableName=stage.table, Item={KEY: {"S": f"kept-{number}"}})
    with Service(stage, settings) as service:
        service.wait_until_settled(20)
        with (
            rebuilding(stage, settings) as rebuild,
            shop.writing(RATE),
            reading(partial(fewer_than, 20, stage)) as reader,
        ):
            rebuild.wait_until_settled(RATE)

            code, said = done(begin_to_cut_over(stage, settings))

            assert code == 0, said
            assert rebuild.wait() == 0
            new = pointed(stage)
            assert new == f"{stage.view}-rebuild"
            service.wait_until(lambda: "daemon is started anew" in "".join(service.log()), "it goes on")
            service.wait_until_at_work()
        wait_until_checkpointed(stage, records=shop.written + 20)
        assert (reader.looks > 0, reader.wrong) == (True, [])
        assert_read_model_equals_source(stage, new)
        assert service.stop() == 0


@pytest.mark.timeout(600)
def test_a_backfill_of_a_table_that_changes_is_exact_with_settings_that_are_new(stage: Stage) -> None:
    """Items older than the stream, among them some that change or go while they are scanned."""
    aws, old = stage.aws.dynamodb, [f"old-{number:03}" for number in range(300)]
    for item in old:
        aws.put_item(TableName=stage.table, Item={KEY: {"S": item}, "turn": {"N": "0"}})
    wait_until(lambda: sum(map(len, stream_numbers(stage).values())) == len(old), "the stream has them")
    stage.sandbox.trim(stage.stream)
    shop = Shop(stage)
    settings = stage.write_settings()
    with Service(stage, settings) as service:
        shop.write(10)
        service.wait_until_settled(10)
        changed = stage.write_settings(stage.projection(fields={"turn": "new.turn"}), name="changed.yaml")
        with rebuilding(stage, changed, "--backfill") as rebuild, shop.writing(RATE):
            for number, item in enumerate(old):
                if number % 3 == 0:
                    aws.delete_item(TableName=stage.table, Key={KEY: {"S": item}})
                elif number % 3 == 1:
                    aws.put_item(TableName=stage.table, Item={KEY: {"S": item}, "turn": {"N": "1"}})
            rebuild.wait_until(lambda: "items of" in "".join(rebuild.log()), "the source is scanned")

            with begin_to_cut_over(stage, changed) as killed:
                rebuild.wait_until(lambda: phase(stage) == "stop", "the live processor is to stop")
                killed.kill()
            code, said = done(begin_to_cut_over(stage, changed))
            assert code == 0, said
            assert rebuild.wait() == 0

        halted = "settings the rebuild was made with"
        service.wait_until(lambda: halted in service.get("/readyz").text, "its settings are of another model")
        assert service.stop() == 0
    with Service(stage, changed) as service:
        service.wait_until_at_work()
        wait_until_checkpointed(stage)
        assert_read_model_equals_source(
            stage, pointed(stage), expected=lambda item: {name: item[name] for name in (KEY, "turn")}
        )
