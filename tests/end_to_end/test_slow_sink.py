"""A read model's table that takes its time: what a neighbour notices of it, and what a hot item costs."""

from sandbox.faults.fault import Fault
from tests.end_to_end.harness import Metrics, Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import VIEW, Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    differences,
    wait_until_checkpointed,
)

SLOW = "slow"
SETTLED = "tidemark_records_settled_total"
WINDOW = 1_000


def put_takes(stage: Stage, seconds: float, processor: str = VIEW) -> Fault:
    return Fault("delay", "dynamodb", "PutItem", stage.view_named(processor), delay_seconds=seconds)


def when_settled(service: Service, processor: str, count: int) -> Metrics:
    """The metrics at the moment at which the processor has settled so many records."""

    def found() -> Metrics | None:
        metrics = service.metrics()
        return metrics if metrics.total(SETTLED, processor=processor) >= count else None

    metrics = service.wait_until(found, f"{processor} has settled {count} records")
    assert metrics is not None
    return metrics


def has_full_windows(service: Service) -> bool:
    shards = service.shards()
    return len(shards) == 2 and all("the window is full" in (shard.message or "") for shard in shards)


def test_a_slow_processor_does_not_slow_its_neighbour_until_the_window_is_full(stage: Stage) -> None:
    shop = Shop(stage, items=5_000)
    slow_view = stage.add_view(SLOW)
    settings = stage.write_settings(
        stage.projection(), stage.projection(SLOW), window={"records": WINDOW}, kcl={"max_records": "200"}
    )
    # Two shard processes with 64 writes each under way: the slow one takes about 25 records a second.
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        with stage.sandbox.faults.applied(put_takes(stage, 5.0, SLOW)):
            shop.write(WINDOW)
            metrics = when_settled(service, VIEW, shop.written)
            assert metrics.total(SETTLED, processor=SLOW) < shop.written / 2
            assert_read_model_equals_source(stage)
            assert differences(stage, slow_view)

            shop.write(3 * WINDOW)
            service.wait_until(lambda: has_full_windows(service), "both shards' windows are full")
            assert service.metrics().total(SETTLED, processor=VIEW) < shop.written
            assert service.get("/healthz").code == 200
        wait_until_checkpointed(stage, records=shop.written)
        for processor in (VIEW, SLOW):
            assert service.metrics().total(SETTLED, processor=processor) == shop.written
    assert_read_model_equals_source(stage)
    assert_read_model_equals_source(stage, slow_view)


def test_a_hot_item_costs_a_slow_table_one_write_a_batch(stage: Stage) -> None:
    shop = Shop(stage, "hot", items=1)
    with Service(stage) as service:
        service.wait_until_at_work()
        with stage.sandbox.faults.applied(put_takes(stage, 0.2)) as (slow,):
            shop.write(2_000)
            service.wait_until_settled(shop.written)
            writes = stage.sandbox.faults.strikes(slow)
        wait_until_checkpointed(stage, records=shop.written)
        assert 0 < writes < shop.written / 20, "a hundred changes at once, at best"
        assert service.settled() == shop.written
    assert_read_model_equals_source(stage)
