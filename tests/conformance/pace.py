"""How one shard process goes on: step by step, each taking its time, some failing, until it is killed."""

import asyncio
from collections.abc import Callable

from tests.conformance.world import Fault, World

READ = "GetItem"
"""What a step is called that reads the source: nothing else is read in this way."""


class Pace:
    """One process's. A step is half of a call to a store, or a chunk of bytes on its way there or back."""

    def __init__(self, world: World, who: str, on_step: Callable[[int, int], None]) -> None:
        """`on_step` is told before each step how many there are with it, and how many reads of the source."""
        self.is_gone = False
        self.on_kill: list[Callable[[], None]] = []
        """Called when the process is killed, before anything of it is told."""
        self._world = world
        self._who = who
        self._on_step = on_step
        self._steps = 0
        self._reads = 0
        self._slowness = 1

    async def __call__(self, what: str) -> None:
        """Take a step.

        Raises:
            CancelledError: the process was killed.
        """
        self._steps += 1
        self._reads += what == READ
        self._on_step(self._steps, self._reads)
        if not self.is_gone:
            await asyncio.sleep(self._world.delay(self._slowness))
        if self.is_gone:
            raise asyncio.CancelledError(what)

    def lose_lease(self) -> None:
        """From now on another process goes on beside this one, which may be slow: why else did it lose it?"""
        self._slowness = self._world.random.choice([1, 10, 100, 100])

    def kill(self) -> None:
        """Not a step further."""
        self.is_gone = True
        for tell in self.on_kill:
            tell()

    def note(self, what: str) -> None:
        """Add to the trace."""
        self._world.note(self._who, what)

    def fault(self, share: float = 1.0) -> Fault | None:
        """What becomes of the next call, if it is not to be as it should; `share` of the history's rate."""
        return self._world.fault(share)

    def keys_read(self) -> int:
        """How many keys of a BatchGetItem are read at once in this process."""
        return self._world.random.choice([100, 100, 1, 2])
