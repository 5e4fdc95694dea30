"""An event loop whose time is virtual: when nobody has anything to do, the next timer's time has come.

Hours of back-off and waiting pass in milliseconds, in the same order every time. There is no outside: no
sockets, no threads, no signals. A program that would wait for ever, or that goes in a circle while no time
passes, is stopped with StuckError.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

_MOST_ROUNDS = 20_000
"""Rounds of the loop at one moment after which it goes in a circle."""

_ROUNDS_WITHOUT_TIME = 5_000
"""Rounds that take no time, so that a test's times are round numbers."""

_ROUND_SECONDS = 1e-9
"""What a round takes after that: asyncio begins a timer by that much early, and who is early looks again."""


class StuckError(AssertionError):
    """Nothing will ever happen any more, or everything happens at one moment."""


class _Clockwork(selectors.SelectSelector):
    """Waits for nothing but time, and that at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("everybody waits, and no timer is set")
        if timeout > 0:
            self.now += timeout
            self._rounds = 0
            return []
        self._rounds += 1
        if self._rounds > _MOST_ROUNDS:
            self._rounds = 0
            raise StuckError(f"at {self.now:.3f} s the tasks go in a circle")
        if self._rounds > _ROUNDS_WITHOUT_TIME:
            self.now += _ROUND_SECONDS
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Begins at 0 seconds."""

    def __init__(self) -> None:
        self._clockwork = _Clockwork()
        super().__init__(self._clockwork)

    def time(self) -> float:
        return self._clockwork.now


def run_in_virtual_time(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """What `main` returns; tasks that it leaves behind are cancelled."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main())
