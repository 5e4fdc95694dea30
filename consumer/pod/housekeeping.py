"""What the pod does every few seconds.

Drop dead shard processes' gauges, guard the leader's lock, look whether a processor was cut over.
"""

import asyncio
from collections.abc import Awaitable, Callable

from checkpoint.control import Controls
from checkpoint.guard import LeaderLockGuard
from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.metrics import forget_dead_processes
from consumer.pod.ops import Pod
from consumer.settings.context import ShardContext
from consumer.status import is_alive, read_statuses

INTERVAL_SECONDS = 3.0


Chore = Callable[[], Awaitable[None]]


async def keep_house(pod: Pod, guard: LeaderLockGuard, log: Logger, chore: Chore) -> None:
    """Until cancelled; what AWS can't do now is done the next time. `chore` is what else there is to do."""
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
        try:
            await chore()
        except Unavailable as error:
            log.warning("the control row can't be read now", error=str(error))
        await asyncio.sleep(INTERVAL_SECONDS)


def renew_when_cut_over(pod: Pod, controls: Controls, context: ShardContext, log: Logger) -> Chore:
    """Starts the daemon anew, with other processors, once one was cut over to a model they don't know."""
    names = {processor.name for processor in context.settings.processors}

    async def look() -> None:
        for name, control in (await controls.read()).items():
            is_decided = control.phase == "live"
            if name in names and is_decided and control.generation != context.generation_of(name):
                log.info("cut over: the daemon is started anew", processor=name, model=control.into)
                pod.supervisor.renew()

    return look
