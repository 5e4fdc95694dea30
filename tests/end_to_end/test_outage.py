"""DynamoDB throttles or is down altogether, KCL's leases included, while the table keeps changing."""

import pytest

from sandbox.faults.fault import Fault, RequestKind
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import assert_read_model_equals_source, wait_until_checkpointed

_OUTAGE_SECONDS = 20.0
"""The outage goes on until so much lag is seen."""


def outage(stage: Stage, kind: RequestKind) -> list[Fault]:
    """Of every table but the source, which has to go on changing."""
    of_application = ("", "-CoordinatorState", "-WorkerMetricStats", "-positions")
    tables = [stage.view, *(stage.application + name for name in of_application)]
    return [Fault(kind, "dynamodb", resource=table) for table in tables]


@pytest.mark.parametrize("kind", ["throttle", "down"])
def test_an_outage_of_dynamodb_is_seen_in_the_lag_and_got_over_without_loss(
    stage: Stage, kind: RequestKind
) -> None:
    shop = Shop(stage)
    letters = stage.directory / "letters"  # a directory of their own
    settings = stage.write_settings(
        delivery={"on_failure": {"file": {"path": str(letters / "dead.jsonl"), "durable": True}}}
    )
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        with shop.writing(rate=50):
            service.wait_until_settled(100)
            with stage.sandbox.faults.applied(*outage(stage, kind)):
                service.wait_until(
                    lambda: (status := service.status()) and (status.lag_seconds or 0.0) > _OUTAGE_SECONDS,
                    "/status shows the lag",
                )
                assert service.metrics().total("tidemark_lag_seconds") > _OUTAGE_SECONDS
                status = service.status()
                assert status is not None
                assert any(
                    "by itself" in problem or "by themselves" in problem for problem in status.problems
                )
                assert service.get("/healthz").code == 200
        wait_until_checkpointed(stage, records=shop.written)
        assert service.metrics().total("tidemark_dead_letters_total") == 0
        assert service.metrics().total("tidemark_daemon_restarts_total") == 0
    assert list(letters.glob("*")) == []
    assert_read_model_equals_source(stage)
