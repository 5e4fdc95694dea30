"""An event loop in a thread of its own, for what is asynchronous in a test that is not."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs while it is entered; what was entered on it is left, in reverse, when it is."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()
        self._entered = AsyncExitStack()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._entered.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        """Enter a context on the loop, until the end of the block."""
        return self.run(self._entered.enter_async_context(manager))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out a coroutine on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the loop, where what it touches lives, and wait for it."""

        async def called() -> T:
            return function()

        return self.run(called())
