"""The read model's store is down until the window is full: the answer to the daemon is held and let go of."""

from contextlib import ExitStack

from sandbox.faults.fault import Fault
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    checkpoints,
    owners,
    wait_until_checkpointed,
)

_WINDOW = 50
_THIEF = "pod-b"


def sink_is_down(stage: Stage) -> Fault:
    return Fault("down", "dynamodb", resource=stage.view)


def wait_until_all_windows_are_full(service: Service, *, at_least: int) -> None:
    """Of the shards the service holds, so many or more."""
    service.wait_until(
        lambda: (
            len(shards := service.shards()) >= at_least
            and all(shard.state == "waiting" and shard.records_in_flight >= _WINDOW for shard in shards)
        ),
        "all its shards' windows are full",
    )


def steal(stage: Stage, shard_id: str) -> None:
    """Give a lease to another worker, as KCL's leader does (LeaseAssignmentManager)."""
    stage.aws.dynamodb.update_item(
        TableName=stage.application,
        Key={"leaseKey": {"S": shard_id}},
        UpdateExpression="SET leaseOwner = :thief ADD leaseCounter :one, ownerSwitchesSinceCheckpoint :one",
        ExpressionAttributeValues={":thief": {"S": _THIEF}, ":one": {"N": "1"}},
    )


def test_a_pod_that_is_stopped_while_its_sink_is_down_lets_go_within_its_grace(stage: Stage) -> None:
    shop = Shop(stage)
    settings = stage.write_settings(window={"records": _WINDOW}, kcl={"max_records": "20"})
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        shop.write(100)
        wait_until_checkpointed(stage, records=shop.written)
        with stage.sandbox.faults.applied(sink_is_down(stage)):
            shop.write(400)
            wait_until_all_windows_are_full(service, at_least=2)
            assert service.stop() == 0, "0 says that all shards let go in time"
    shop.write(100)

    with Service(stage, settings):
        wait_until_checkpointed(stage, records=shop.written)
    assert_read_model_equals_source(stage)


def test_a_pod_whose_lease_is_taken_while_its_sink_is_down_lets_go_without_a_checkpoint(stage: Stage) -> None:
    shop = Shop(stage)
    settings = stage.write_settings(window={"records": _WINDOW}, kcl={"max_records": "20"})
    with ExitStack() as pods:
        first = pods.enter_context(Service(stage, settings))
        first.wait_until_at_work()
        second = pods.enter_context(Service(stage, settings, worker_id=_THIEF))
        second.wait_until(lambda: second.get("/readyz").code == 200, "the second pod is ready")
        shop.write(100)
        wait_until_checkpointed(stage, records=shop.written)
        with stage.sandbox.faults.applied(sink_is_down(stage)):
            shop.write(400)
            wait_until_all_windows_are_full(first, at_least=1)  # KCL may have given the second pod the other
            before = checkpoints(stage)
            held = first.pids.shards
            stolen = min(held)

            steal(stage, stolen)
            second.wait_until(
                lambda: stolen in second.pids.shards, "the second pod is at work on what it took"
            )
            first.wait_until(
                lambda: first.pids.shards.get(stolen) != held[stolen], "the first pod let go of it"
            )
            assert checkpoints(stage) == before
            assert owners(stage)[stolen] == _THIEF
            said = "\n".join(first.log())
            assert "another worker took the lease while an answer was held" in said
        wait_until_checkpointed(stage, records=shop.written)
        assert first.stop() == 0
        assert second.stop() == 0
    assert_read_model_equals_source(stage)
