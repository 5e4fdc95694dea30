"""Deletes the tombstones of an index that have lived long enough: seldom, a few at a time, in the background.

A change newer than a tombstone makes a row of it whether or not the tombstone is there; an older one that
comes after it was purged is past its horizon, and settled by reading the source.
"""

import asyncio
from collections.abc import Callable

from consumer.attributes import RESERVED
from consumer.errors import Unavailable
from consumer.stores.opensearch.index import Index

INTERVAL_SECONDS = 6 * 3600.0
"""Of each shard process, give or take half of it."""

MOST_AT_ONCE = 10_000


class Purge:
    """One index's."""

    def __init__(self, index: Index, *, clock: Callable[[], float], uniform: Callable[[], float]) -> None:
        """Take what it needs; the first is due within half an interval and one and a half.

        Args:
            index: the read model's.
            clock: Unix seconds.
            uniform: a random number in [0, 1): shard processes are not to do it all at once.
        """
        self._index = index
        self._clock = clock
        self._uniform = uniform
        self._due_at = self._next()
        self._running: asyncio.Task[None] | None = None

    def begin_if_due(self) -> None:
        """Begin one, if it is time and none is under way."""
        if self._clock() >= self._due_at and self._running is None:
            self._due_at = self._next()
            self._running = asyncio.create_task(self._run())

    async def purge(self) -> int:
        """Delete what is due now, whatever the time; how many there were.

        Raises:
            Unavailable: OpenSearch can't do it now.
        """
        gone = {"term": {f"{RESERVED}.gone": True}}
        past = {"range": {f"{RESERVED}.expires": {"lt": int(self._clock())}}}
        deleted = 0
        while True:
            more = await self._index.delete_where({"bool": {"filter": [gone, past]}}, MOST_AT_ONCE)
            deleted += more
            if more < MOST_AT_ONCE:
                return deleted

    async def _run(self) -> None:
        try:
            await self.purge()
        except Unavailable:
            pass  # the next one has more to do
        finally:
            self._running = None

    def _next(self) -> float:
        return self._clock() + INTERVAL_SECONDS * (0.5 + self._uniform())
