"""Waiting for what can't be had now, until it can or somebody says stop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from consumer.errors import TidemarkError, Unavailable
from consumer.shard.retry import Backoff

T = TypeVar("T")

_GRACE_SECONDS = 1.0
"""For calls under way when somebody says stop: what they did is then known, and need not be repeated."""


class StoppedError(TidemarkError):
    """Somebody said stop."""


class Patience:
    """Back-off that ends at a stop.

    Args:
        stop: set by Ctrl-C.
        uniform: a random number in [0, 1), for the jitter.
        tell: told what is waited for, and None once it is there.
    """

    def __init__(
        self, stop: asyncio.Event, uniform: Callable[[], float], tell: Callable[[str | None], None]
    ) -> None:
        self._stop = stop
        self._uniform = uniform
        self._tell = tell

    async def keep_trying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The attempt's result, however often it takes; it is made once at least, stop or not.

        Raises:
            StoppedError: it could not be had before.
        """
        tries = 0
        while True:
            try:
                result = await attempt()
            except Unavailable as error:
                tries += 1
                await self.pause(tries, error)
            else:
                if tries:
                    self._tell(None)
                return result

    async def pause(self, tries: int, error: TidemarkError) -> None:
        """Wait after so many failures in a row.

        Raises:
            StoppedError: instead of waiting on.
        """
        self._tell(str(error))
        try:
            async with asyncio.timeout(Backoff().delay(tries, self._uniform())):
                await self._stop.wait()
        except TimeoutError:
            return
        raise StoppedError(str(error))

    def went_on(self) -> None:
        """What was waited for is there."""
        self._tell(None)

    def see_that_nobody_stopped(self) -> None:
        """Raises StoppedError where somebody did."""
        if self._stop.is_set():
            raise StoppedError("stopped")

    async def unless_stopped(self, work: Coroutine[None, None, T]) -> T:
        """The work's result.

        Raises:
            StoppedError: somebody said stop, and it did not end soon after.
        """
        task, stopping = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait((task,), timeout=_GRACE_SECONDS)
            if task.done():
                return task.result()
            raise StoppedError("stopped while a call was under way")
        finally:
            stopping.cancel()
            task.cancel()
