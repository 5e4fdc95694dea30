"""A table that refuses every row, as one with another schema does: the table is at fault, and no record."""

from pathlib import Path

import pytest

from sandbox.faults.fault import Fault
from sandbox.process import SandboxProcess
from tests.end_to_end.dead_letters import create_queue, redrive
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import VIEW, Stage, set_stage
from tests.end_to_end.truth import assert_read_model_equals_source, differences, wait_until_checkpointed
from tests.integration.conftest import Aws

RUN = 20
RUNS = "tidemark_rejected_runs_total"
PROBES = 30


@pytest.fixture
def stage(sandbox: SandboxProcess, aws: Aws, tmp_path: Path) -> Stage:
    """One shard: a run is counted in each."""
    return set_stage(sandbox, aws, tmp_path, shards=1)


def test_a_table_that_refuses_everything_is_waited_for_after_twenty_records(stage: Stage) -> None:
    shop, queue, faults = Shop(stage, items=1_000), create_queue(stage), stage.sandbox.faults
    # A record has one try only, so that the twenty are all that keeps the rest out of the queue.
    settings = stage.write_settings(delivery={**queue.delivery, "maximum_retry_attempts": 0})
    with Service(stage, settings) as service:
        service.wait_until_at_work(1)
        with faults.applied(Fault("reject", "dynamodb", "PutItem", stage.view)) as (wrong,):
            shop.write(300)
            service.wait_until(lambda: service.metrics().total(RUNS, processor=VIEW) == 1, "a run is seen")
            struck = faults.strikes(wrong)
            service.wait_until(lambda: faults.strikes(wrong) >= struck + PROBES, "the table is asked again")
            service.wait_until(lambda: service.shards()[0].state == "waiting", "/status says so")
            message = service.shards()[0].message
            assert message is not None
            assert f"{RUN} records in a row were rejected with ValidationException" in message
            assert service.metrics().total(RUNS) == 1
            assert queue.depth() < RUN

        wait_until_checkpointed(stage, records=shop.written)
        metrics, letters = service.metrics(), queue.depth()
        # Rejections that are answered after the table's first good answer are counted from one again.
        assert letters < RUN * (metrics.total(RUNS) + 1)
        assert metrics.total("tidemark_dead_letters_total") == letters
        assert metrics.total("tidemark_records_settled_total") == shop.written
        assert len(differences(stage)) <= letters

        redriven = redrive(stage, settings)
        assert redriven.returncode == 0, redriven.stdout + redriven.stderr
        assert queue.depth() == 0
    assert_read_model_equals_source(stage)
