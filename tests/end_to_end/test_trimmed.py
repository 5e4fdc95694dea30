"""Records that the stream dropped before anybody read them: nobody goes on as if nothing had been."""

import json
import time

from consumer.status import ShardStatus
from tests.end_to_end.harness import Service, wait_until
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    checkpoints,
    differences,
    scan,
    stream_numbers,
    wait_until_checkpointed,
)
from tests.integration.streams import read_shard

_DAY_SECONDS = 24 * 3600
"""The retention of a stream that nobody changed."""

_LOST = "lost-"


def positions_table(stage: Stage) -> str:
    return f"{stage.application}-positions"


def caught_up(stage: Stage) -> set[str]:
    """Shards whose end was reached with everything settled, by the positions table."""
    rows = scan(stage.aws.dynamodb, positions_table(stage))
    return {row["key"]["S"].removeprefix("shard/") for row in rows if "caught_up_at" in row}


def make_the_last_visit_long_ago(stage: Stage, shard_id: str) -> None:
    stage.aws.dynamodb.update_item(
        TableName=positions_table(stage),
        Key={"key": {"S": f"shard/{shard_id}"}},
        UpdateExpression="SET caught_up_at = :long_ago",
        ExpressionAttributeValues={":long_ago": {"N": str(time.time() - _DAY_SECONDS - 3600)}},
    )


def shard_of(service: Service, shard_id: str) -> ShardStatus | None:
    return next((shard for shard in service.shards() if shard.shard_id == shard_id), None)


def test_a_shard_whose_records_were_trimmed_unread_parks_until_the_settings_say_go_on(stage: Stage) -> None:
    shop = Shop(stage)
    with Service(stage) as service:
        service.wait_until_at_work()
        shop.write(200)
        wait_until_checkpointed(stage, records=shop.written)
        assert service.stop() == 0
    for number in range(20):
        stage.aws.dynamodb.put_item(TableName=stage.table, Item={KEY: {"S": f"{_LOST}{number}"}})
    trimmed, other = sorted(checkpoints(stage))
    in_trimmed = [
        json.loads(record["Data"]) for record in read_shard(stage.aws.kinesis, stage.stream, trimmed).records
    ]
    keys = {change["dynamodb"]["Keys"][KEY]["S"] for change in in_trimmed}
    lost = sorted(key for key in keys if key.startswith(_LOST))
    assert lost
    stage.sandbox.trim(stage.stream, shard=trimmed)
    for shard_id in (trimmed, other):
        make_the_last_visit_long_ago(stage, shard_id)
    before = checkpoints(stage)

    with Service(stage) as service:
        service.wait_until(
            lambda: (shard := shard_of(service, trimmed)) and shard.state == "parked", "the shard is parked"
        )
        shop.write(200)
        end = str(stream_numbers(stage)[other][-1])
        wait_until(lambda: checkpoints(stage)[other] == end, "the other shard has gone on")
        assert checkpoints(stage)[trimmed] == before[trimmed]
        status = service.status()
        assert status is not None
        (problem,) = status.problems
        assert trimmed in problem
        assert "may have been trimmed" in problem
        assert "on_trimmed: continue" in problem
        assert service.get("/healthz").code == 200
        assert service.metrics().total("tidemark_trimmed_total", action="park") == 1
        assert service.stop() == 0

    with Service(stage, stage.write_settings(on_trimmed="continue")) as service:
        wait_until_checkpointed(stage)
        assert service.metrics().total("tidemark_trimmed_total", action="continue") == 1
    assert sorted(line.partition(":")[0] for line in differences(stage)) == lost


def test_an_idle_shard_whose_checkpointed_record_expired_goes_on(stage: Stage) -> None:
    shop = Shop(stage)
    with Service(stage) as service:
        service.wait_until_at_work()
        shop.write(100)
        wait_until_checkpointed(stage, records=shop.written)
        shards = set(checkpoints(stage))
        wait_until(lambda: caught_up(stage) == shards, "both shards were caught up with")
        assert service.stop() == 0
    for shard_id in shards:
        stage.sandbox.trim(stage.stream, shard=shard_id)

    with Service(stage) as service:
        service.wait_until_at_work()
        shop.write(100)
        wait_until_checkpointed(stage)
        assert service.metrics().total("tidemark_trimmed_total") == 0
    assert_read_model_equals_source(stage)
