"""Stop with SIGTERM and start again: nothing lost, and nothing seen again that was checkpointed."""

from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    checkpoints,
    records_after,
    wait_until_checkpointed,
)

RATE = 100


def received(service: Service) -> float:
    return service.metrics().total("tidemark_records_received_total")


def shards_that_settled(service: Service) -> int:
    """One may have settled many before the other's process has begun."""
    return sum(any(processor.settled for processor in shard.processors) for shard in service.shards())


def test_a_service_stopped_under_load_goes_on_at_its_checkpoint(stage: Stage) -> None:
    shop = Shop(stage)
    with Service(stage) as service, shop.writing(RATE):
        service.wait_until_settled(2 * RATE)
        service.wait_until(lambda: shards_that_settled(service) == 2, "both shards have settled records")
        assert service.stop() == 0
        assert service.survivors() == []
    reached = checkpoints(stage)
    assert all(checkpoint.isdecimal() for checkpoint in reached.values()), reached
    shop.write(RATE)

    with Service(stage) as service:
        with shop.writing(RATE):
            service.wait_until_settled(2 * RATE)
        wait_until_checkpointed(stage, records=shop.written)
        assert_read_model_equals_source(stage)
        assert 0 < received(service) <= records_after(stage, reached)
        assert service.stop() == 0

    with Service(stage) as service:
        shop.write(RATE)
        wait_until_checkpointed(stage, records=shop.written)
        assert received(service) == RATE, "a stop with everything settled leaves nothing to see again"
        assert_read_model_equals_source(stage)
