"""One transaction at a time on a group, in one process: DynamoDB would cancel the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager


class GroupLocks:
    """A lock for each group that somebody holds or waits for."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many groups are held or waited for."""
        return len(self._locks)

    @asynccontextmanager
    async def holding(self, groups: Iterable[str]) -> AsyncIterator[None]:
        """Hold the groups; taken in order, so that nobody waits for somebody who waits for them."""
        wanted = sorted(groups)
        self._users.update(wanted)
        try:
            async with AsyncExitStack() as held:
                for group in wanted:
                    await held.enter_async_context(self._locks.setdefault(group, asyncio.Lock()))
                yield
        finally:
            for group in wanted:
                self._users[group] -= 1
                if not self._users[group]:
                    del self._users[group]
                    self._locks.pop(group, None)
