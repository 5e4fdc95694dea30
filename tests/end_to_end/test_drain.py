"""SIGTERM under load and with a slow sink: what is under way is settled, the rest comes again."""

from typing import TYPE_CHECKING

import msgspec

from sandbox.faults.fault import Fault
from tests.end_to_end.dead_letters import create_queue
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    checkpoints,
    records_after,
    scan,
    stream_records,
    wait_until_checkpointed,
)

if TYPE_CHECKING:
    from types_boto3_kinesis.type_defs import RecordTypeDef

RATE = 800
"""A shard process writes 64 a second then, so each of the two shards falls behind at once."""

BACKLOG = 1_200
"""Records of a shard. Its eight lanes have 800 of them in hand, which is longer than the grace."""

RECEIVED = "tidemark_records_received_total"


def slow(stage: Stage) -> Fault:
    return Fault("delay", "dynamodb", "PutItem", stage.view, delay_seconds=1.0)


def settled_in_a_row(stage: Stage) -> dict[str, str]:
    """By the rows themselves: the last record of each shard up to which all are settled."""
    versions = {
        row[KEY]["S"]: int(row["_tidemark"]["M"]["v"]["N"]) for row in scan(stage.aws.dynamodb, stage.view)
    }

    def is_settled(record: "RecordTypeDef") -> bool:
        change = msgspec.json.decode(record["Data"])["dynamodb"]
        return versions.get(change["Keys"][KEY]["S"], 0) >= int(change["ApproximateCreationDateTime"])

    ends: dict[str, str] = {}
    for shard, records in stream_records(stage).items():
        for record in records:
            if not is_settled(record):
                break
            ends[shard] = record["SequenceNumber"]
    return ends


def test_a_pod_stopped_under_load_with_a_slow_sink_drains_within_its_grace(stage: Stage) -> None:
    shop, queue = Shop(stage, items=10_000), create_queue(stage)
    delivery = {**queue.delivery, "batch_size": 100}
    # No checkpoint is due before the stop: whatever stands there then is the drain's.
    settings = stage.write_settings(
        delivery=delivery, checkpoint_interval="300s", kcl={"shutdown_grace": "10s"}
    )
    with stage.sandbox.faults.applied(slow(stage)), Service(stage, settings) as service:
        service.wait_until_at_work()
        with shop.writing(RATE):
            service.wait_until(lambda: has_begun(service), "each shard has settled some, and has more to do")
            before = checkpoints(stage)
            assert service.stop() == 0, "0 says that all shards let go within shutdown_grace"
        assert service.survivors() == []
    assert all("not drained in time" not in line for line in service.log())
    reached = checkpoints(stage)
    assert all(not checkpoint.isdecimal() for checkpoint in before.values()), before
    assert reached == settled_in_a_row(stage), "the checkpoint is the frontier, to the record"
    assert queue.depth() == 0

    shop.write(10)
    left = records_after(stage, reached)
    assert left < shop.written
    with Service(stage, settings) as service:
        service.wait_until(lambda: service.metrics().total(RECEIVED) >= left, "all that is left was received")
        service.wait_until_settled(left)
        assert service.metrics().total(RECEIVED) == left, "nothing comes again that was checkpointed"
        assert service.stop() == 0
    wait_until_checkpointed(stage, records=shop.written)
    assert_read_model_equals_source(stage)
    assert queue.depth() == 0


def has_begun(service: Service) -> bool:
    shards = service.shards()
    return len(shards) == 2 and all(
        shard.frontier is not None and shard.records_in_flight >= BACKLOG for shard in shards
    )
