"""What the pod does every few seconds: drop dead shard processes' gauges, guard the leader's lock."""

import asyncio

from checkpoint.guard import LeaderLockGuard
from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.metrics import forget_dead_processes
from consumer.pod.ops import Pod
from consumer.status import is_alive, read_statuses

INTERVAL_SECONDS = 3.0


async def keep_house(pod: Pod, guard: LeaderLockGuard, log: Logger) -> None:
    """Until cancelled; what AWS can't do now is done the next time."""
    while True:
        forget_dead_processes(pod.run_directory, is_alive)
        try:
            report = await guard.step(daemon_alive=pod.supervisor.status.pid is not None)
        except Unavailable as error:
            pod.adrift.look(read_statuses(pod.run_directory), str(error))
            log.warning("the leader's lock could not be looked at", error=str(error))
        except Exception:  # a guard that fails is no reason to stop the pod
            log.exception("the leader's lock could not be looked at")
        else:
            pod.adrift.look(read_statuses(pod.run_directory), None)
            if report.deleted:
                log.warning("deleted the lock of a leader that is gone", leader=report.owner)
        await asyncio.sleep(INTERVAL_SECONDS)
