"""SIGKILL, under load, of each process there is: nothing lost, nothing back, and no help from outside."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.faults.fault import Fault
from tests.end_to_end.harness import Service, sigkill
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    checkpoints,
    owners,
    read_model,
    records_after,
    wait_until_checkpointed,
)
from tests.integration.streams import FIRST_SHARD

RATE = 60

SLOW_SECONDS = 0.1
"""What a write to the read model takes under load: whenever a process is killed, much is under way."""


class Load:
    """Two shops: a loss stays visible where no item is written often, and what comes back where all are."""

    def __init__(self, stage: Stage) -> None:
        self.once, self.often = Shop(stage, "once", items=10_000), Shop(stage, "often", items=50)
        self._slow = Fault("delay", "dynamodb", "PutItem", stage.view, delay_seconds=SLOW_SECONDS)
        self._faults = stage.sandbox.faults

    @property
    def written(self) -> int:
        return self.once.written + self.often.written

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._faults.applied(self._slow), self.once.writing(RATE), self.often.writing(RATE):
            yield


def the_daemon(service: Service) -> int | None:
    return service.pids.daemon


def a_shard_process(service: Service) -> int | None:
    return service.pids.shards.get(FIRST_SHARD)


def test_the_service_goes_on_by_itself_under_the_same_name_when_its_processes_are_killed(
    stage: Stage,
) -> None:
    load = Load(stage)
    with Service(stage) as service:
        with load.writing():
            service.wait_until_settled(4 * RATE)
            for times, victim in enumerate((the_daemon, a_shard_process), start=1):
                before, pid = service.family(), victim(service)
                assert pid is not None
                sigkill(pid)
                wait_until_replaced(service, times)
                assert set(owners(stage).values()) == {service.worker_id}
                assert service.survivors(before) == []
                service.wait_until_settled(service.settled() + 2 * RATE)
        wait_until_checkpointed(stage, records=load.written)

        assert_read_model_equals_source(stage)
        assert read_model(stage).tombstones
        assert service.metrics().total("tidemark_daemon_restarts_total") == 2
        assert service.metrics().total("tidemark_dead_letters_total") == 0
        assert service.stop() == 0
        assert service.survivors() == []
        assert all(isinstance(json.loads(line), dict) for line in service.log()), "the log is JSON lines"


def wait_until_replaced(service: Service, times: int) -> None:
    service.wait_until(lambda: service.restarts() == times, f"the daemon is started again, {times} in all")
    service.wait_until_at_work()


def test_a_killed_pod_leaves_no_process_and_its_successor_of_the_same_name_goes_on(stage: Stage) -> None:
    load = Load(stage)
    with Service(stage) as service, load.writing():
        service.wait_until_settled(4 * RATE)
        assert len(service.family()) >= 3  # the JVM and two shard processes
        service.kill()
        assert service.survivors() == []
    reached = checkpoints(stage)

    with Service(stage) as service:
        with load.writing():
            service.wait_until_settled(4 * RATE)
        wait_until_checkpointed(stage, records=load.written)
        assert set(owners(stage).values()) == {service.worker_id}
        assert_read_model_equals_source(stage)
        assert read_model(stage).tombstones
        received = service.metrics().total("tidemark_records_received_total")
        assert 0 < received <= records_after(stage, reached)
