"""Writes at a steady rate, several at a time; says the rate reached."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from consumer.commands.demo.orders import OrderBook, utc_now

_SIDE_BY_SIDE = 32
_LONGEST_CATCH_UP_SECONDS = 1.0
"""What is missed beyond this is not made up for: a burst would say nothing about the rate."""
_RATE_WINDOW_SECONDS = 3.0


class Caller(Protocol):
    """What the writer needs of a DynamoDB client."""

    async def call(self, operation: str, request: dict[str, Any]) -> object:
        """Carry out one operation."""
        ...


class Pacer:
    """Hands out turns at a rate, to any number of takers."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._interval = 1 / rate
        self._clock = clock
        self._next = clock()

    def delay(self) -> float:
        """Take the next turn; seconds until it comes."""
        now = self._clock()
        self._next = max(self._next + self._interval, now - _LONGEST_CATCH_UP_SECONDS)
        return max(0.0, self._next - now)


class Writer:
    """Keeps writing orders until it is stopped."""

    def __init__(
        self,
        client: Caller,
        book: OrderBook,
        *,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = utc_now,
    ) -> None:
        self.book = book
        self.written = 0
        self.rate_reached = 0.0
        self._client = client
        self._clock = clock
        self._today = today
        self._recent: deque[float] = deque()
        self._began = clock()
        self._stopped = asyncio.Event()

    async def write_one(self) -> None:
        """Write one change of one order."""
        write = self.book.next_write(self._today())
        await self._client.call(write.operation, write.request)
        self.book.done(write)
        self.written += 1
        self._recent.append(self._clock())

    async def run(self, rate: float) -> None:
        """Write `rate` changes a second until `stop`; what was begun is finished."""
        pacer = Pacer(rate, self._clock)
        before = self.written
        self._began = self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_SIDE_BY_SIDE):
                    group.create_task(self._lane(pacer))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        self.rate_reached = (self.written - before) / max(self._clock() - self._began, 0.001)

    def stop(self) -> None:
        """Begin no more writes."""
        self._stopped.set()

    def rate_now(self) -> float:
        """Writes a second over the last few seconds."""
        now = self._clock()
        while self._recent and self._recent[0] < now - _RATE_WINDOW_SECONDS:
            self._recent.popleft()
        return len(self._recent) / min(_RATE_WINDOW_SECONDS, max(now - self._began, 1.0))

    async def _lane(self, pacer: Pacer) -> None:
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(pacer.delay()):
                    await self._stopped.wait()
            except TimeoutError:
                await self.write_one()
