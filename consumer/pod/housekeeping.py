"""What the pod does every few seconds: drop dead shard processes' gauges, guard the leader's lock."""

import asyncio
from pathlib import Path

from checkpoint.guard import LeaderLockGuard
from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.metrics import forget_dead_processes
from consumer.pod.supervisor import Supervisor
from consumer.status import is_alive

INTERVAL_SECONDS = 3.0


async def keep_house(
    run_directory: Path, supervisor: Supervisor, guard: LeaderLockGuard, log: Logger
) -> None:
    """Until cancelled; what AWS can't do now is done the next time."""
    while True:
        forget_dead_processes(run_directory, is_alive)
        try:
            report = await guard.step(daemon_alive=supervisor.status.pid is not None)
        except Unavailable as error:
            log.warning("the leader's lock could not be looked at", error=str(error))
        except Exception:  # a guard that fails is no reason to stop the pod
            log.exception("the leader's lock could not be looked at")
        else:
            if report.deleted:
                log.warning("deleted the lock of a leader that is gone", leader=report.owner)
        await asyncio.sleep(INTERVAL_SECONDS)
