"""The read model's table is away for a minute while the source keeps changing: lag, and nothing else."""

from sandbox.faults.fault import Fault
from tests.end_to_end.dead_letters import create_queue
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import assert_read_model_equals_source, wait_until_checkpointed

OUTAGE_SECONDS = 60.0
"""Longer than any back-off (30 s), and than any count of attempts that would be mistaken for patience."""

RATE = 50


def test_a_sink_that_is_down_for_a_minute_costs_lag_and_no_dead_letter(stage: Stage) -> None:
    shop, queue, faults = Shop(stage, items=2_000), create_queue(stage), stage.sandbox.faults
    delivery = {**queue.delivery, "maximum_retry_attempts": 0}  # not one attempt is to spare
    with Service(stage, stage.write_settings(delivery=delivery)) as service:
        service.wait_until_at_work()
        with shop.writing(RATE):
            service.wait_until_settled(RATE)
            outage = faults.add(Fault("down", "dynamodb", resource=stage.view, seconds=OUTAGE_SECONDS))
            lags: list[float] = []
            problems: set[str] = set()

            def is_over() -> bool:
                assert service.get("/healthz").code == 200
                status = service.status()
                assert status is not None
                lags.append(status.lag_seconds or 0.0)
                problems.update(status.problems)
                return all(applied.id != outage for applied in faults.list())

            service.wait_until(is_over, "the outage is over")
            before = service.settled()
            service.wait_until_settled(before + RATE)
        wait_until_checkpointed(stage, records=shop.written)

        assert max(lags) > OUTAGE_SECONDS / 2
        assert any("it goes on by itself once the store answers" in problem for problem in problems)
        metrics = service.metrics()
        assert metrics.total("tidemark_records_settled_total", outcome="failed") == 0
        assert metrics.total("tidemark_dead_letters_total") == queue.depth() == 0
        assert metrics.total("tidemark_records_received_total") == shop.written
        assert metrics.total("tidemark_daemon_restarts_total") == 0
    assert_read_model_equals_source(stage)
