"""A pod that can't start yet: a store that is away, or AWS out of reach, ends no pod. It waits, and says so.

All processors wait together: they share the shards' frontier, so that what one has not settled is read again
by all.
"""

import asyncio
from collections.abc import Callable, Coroutine

from checkpoint.tables import TableNotReadyError
from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.pod.ops import Pod
from consumer.settings.context import ShardContext
from consumer.shard.retry import Backoff

_BACKOFF = Backoff(first_seconds=1.0)


async def until_prepared(
    pod: Pod,
    prepare: Callable[[], Coroutine[None, None, ShardContext]],
    log: Logger,
    uniform: Callable[[], float],
) -> ShardContext | None:
    """Prepare the start, again and again while what it needs is not to be had.

    Args:
        pod: told what is waited for.
        prepare: one attempt; what it has begun it does again.
        log: told of each reason, once while it lasts.
        uniform: a random number in [0, 1), for the back-off's jitter.

    Returns:
        What shard processes need; None if the pod is stopped before.

    Raises:
        SettingsError: something a person has to put right.
    """
    tries, told = 0, None
    stopped = asyncio.create_task(pod.supervisor.stopped())
    try:
        while not stopped.done():
            preparing = asyncio.create_task(prepare())
            await asyncio.wait((preparing, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not preparing.done():
                preparing.cancel()
                break
            try:
                return preparing.result()
            except (Unavailable, TableNotReadyError) as error:
                tries, why = tries + 1, str(error)
            pod.waiting_for = f"{why}; no processor runs until it is there; trying again"
            if why != told:
                told = why
                log.warning("the start waits for what is not to be had; trying again", error=why)
            await asyncio.wait((stopped,), timeout=_BACKOFF.delay(tries, uniform()))
        return None
    finally:
        stopped.cancel()
