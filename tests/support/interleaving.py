"""Chooses, step by step, which of the calls that are under way goes on next."""

import asyncio
from random import Random

_HOPS = 12
"""Turns of the event loop after which everything that can go on without a store has done so."""


class Interleaver:
    """Everybody waits in `pause` until `step` lets one of them go.

    In some runs the latest to wait goes first most of the time, so that somebody is left behind for long.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._latest_first = random.choice([0.0, 0.7, 0.95])
        self._waiting: list[asyncio.Future[None]] = []

    async def pause(self, _what: str) -> None:
        """Wait for one's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    async def step(self) -> bool:
        """Let one go, and everybody run up to the next pause; False where nobody waits."""
        await self.quiet()
        if not self._waiting:
            return False
        latest_first = self._random.random() < self._latest_first
        turn = self._waiting.pop(-1 if latest_first else self._random.randrange(len(self._waiting)))
        turn.set_result(None)
        await self.quiet()
        return True

    async def quiet(self) -> None:
        """Let everybody run up to the next pause."""
        for _ in range(_HOPS):
            await asyncio.sleep(0)
