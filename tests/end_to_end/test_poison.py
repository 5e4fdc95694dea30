"""One record that the read model's table does not take, among thousands that it takes."""

from typing import NamedTuple

from consumer.status import ShardStatus
from sandbox.faults.fault import Fault
from tests.end_to_end.dead_letters import create_queue, record_of, redrive
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, VIEW, Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    checkpoints,
    differences,
    stream_records,
    wait_until_checkpointed,
)

RECORDS = 10_000
POISONED = {KEY: {"S": "poisoned"}}
SETTLED, LETTERS = "tidemark_records_settled_total", "tidemark_dead_letters_total"
FAILURES = "tidemark_dead_letter_failures_total"


class Poison(NamedTuple):
    """The record as the stream itself holds it."""

    shard: str
    number: str
    data: bytes


def put_foreign_row(stage: Stage) -> None:
    """The cause: the item's row stands in the read model already, written by somebody else."""
    stage.aws.dynamodb.put_item(TableName=stage.view, Item={**POISONED, "owner": {"S": "not Tidemark"}})


def take_foreign_row_away(stage: Stage) -> None:
    stage.aws.dynamodb.delete_item(TableName=stage.view, Key=POISONED)


def write_poison(stage: Stage, price: str) -> None:
    stage.aws.dynamodb.put_item(TableName=stage.table, Item={**POISONED, "price": {"N": price}})


def poison_in_stream(stage: Stage) -> Poison:
    """The first there is."""
    return next(
        Poison(shard, record["SequenceNumber"], record["Data"])
        for shard, records in stream_records(stage).items()
        for record in records
        if POISONED[KEY]["S"].encode() in record["Data"]
    )


def is_checkpointed(stage: Stage, poison: Poison) -> bool:
    checkpoint = checkpoints(stage)[poison.shard]
    return checkpoint.isdecimal() and int(checkpoint) >= int(poison.number)


def told_by_status(service: Service) -> tuple[int, int]:
    """How many records are settled, and how many of them by a dead letter."""
    status = service.status()
    return (status.totals.records_settled, status.totals.outcomes.get("failed", 0)) if status else (0, 0)


def the_one_that_waits(service: Service) -> ShardStatus:
    def waiting() -> list[ShardStatus]:
        return [shard for shard in service.shards() if shard.state == "waiting"]

    (shard,) = service.wait_until(waiting, "a shard says that it waits")
    return shard


def test_one_poison_record_among_ten_thousand_is_kept_whole_and_redriven_once_its_cause_is_gone(
    stage: Stage,
) -> None:
    shop, queue = Shop(stage, items=2_000), create_queue(stage)
    settings = stage.write_settings(delivery=queue.delivery)
    put_foreign_row(stage)
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        shop.write(RECORDS // 2)
        write_poison(stage, "1.50")
        shop.write(RECORDS // 2 - 1)
        wait_until_checkpointed(stage, records=RECORDS)

        metrics = service.metrics()
        assert metrics.total(SETTLED, outcome="failed") == metrics.total(LETTERS, processor=VIEW) == 1
        applied, stale = (metrics.total(SETTLED, outcome=outcome) for outcome in ("applied", "stale"))
        assert applied + stale == RECORDS - 1
        service.wait_until(lambda: told_by_status(service) == (RECORDS, 1), "/status says so too")

        poison = poison_in_stream(stage)
        assert is_checkpointed(stage, poison)
        assert queue.depth() == 1
        (letter,) = queue.letters()
        assert record_of(letter) == poison.data
        assert letter["source"]["sequenceNumber"] == poison.number
        assert (letter["source"]["stream"], letter["source"]["shard"]) == (stage.stream, poison.shard)
        assert (letter["processor"], letter["error"]["code"]) == (VIEW, "ForeignRow")

    take_foreign_row_away(stage)
    assert len(differences(stage)) == 1
    redriven = redrive(stage, settings)
    assert redriven.returncode == 0, redriven.stdout + redriven.stderr
    assert queue.depth() == 0
    assert_read_model_equals_source(stage)


def test_a_dead_letter_that_cannot_be_written_holds_back_its_item_alone_until_it_can(stage: Stage) -> None:
    shop, queue = Shop(stage), create_queue(stage)
    put_foreign_row(stage)
    with Service(stage, stage.write_settings(delivery=queue.delivery)) as service:
        service.wait_until_at_work()
        with stage.sandbox.faults.applied(Fault("down", "sqs", resource=queue.name)):
            write_poison(stage, "1.50")
            service.wait_until(
                lambda: service.metrics().total(FAILURES, processor=VIEW) >= 2, "it is tried again"
            )
            poison = poison_in_stream(stage)
            take_foreign_row_away(stage)
            write_poison(stage, "2.50")  # nothing but the letter is in the way of this one
            shop.write(500)
            service.wait_until_settled(shop.written)

            waiting = the_one_that_waits(service)
            assert waiting.shard_id == poison.shard
            assert waiting.processors[0].items_waiting == 1
            assert waiting.message is not None
            assert f"the dead letter queue {queue.url} can't be" in waiting.message
            assert service.get("/healthz").code == 200
            assert service.settled() == shop.written
            (difference,) = differences(stage)
            assert difference.startswith(POISONED[KEY]["S"])
            assert not is_checkpointed(stage, poison)
            tried = service.metrics().total(FAILURES)
            service.wait_until(lambda: service.metrics().total(FAILURES) > tried, "it is still tried")

        wait_until_checkpointed(stage, records=shop.written + 2)
        assert service.metrics().total(SETTLED, outcome="failed") == 1
        assert service.metrics().total(LETTERS) == 1
        assert queue.depth() == 1
        assert record_of(queue.letters()[0]) == poison.data
    assert_read_model_equals_source(stage)
