"""Holds a processor still while its read model is cut over to another one.

A call that comes meanwhile waits for the brake to be let go, and so its records do. What it writes elsewhere
goes on: other processors of the shard, until the window is full.
"""

import asyncio
from collections.abc import Callable, Sequence

from consumer.processors.base import HELD, Outcome, Processor
from consumer.record import ChangeRecord

_LOOK_SECONDS = 0.2


class Brake:
    """Stands between the lanes and one processor."""

    def __init__(self, processor: Processor | None, *, is_stopping: Callable[[], bool]) -> None:
        """`processor` is None where the settings may not be used: then it is held for good.

        `is_stopping`: the process is about to end, and waits for nothing.
        """
        self._processor = processor
        self._is_stopping = is_stopping
        self._under_way = 0
        self.is_on = processor is None

    @property
    def is_still(self) -> bool:
        """Whether nothing is under way, and nothing will be until the brake is let go."""
        return self.is_on and self._under_way == 0

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """As the processor does, once it may."""
        while self.is_on or self._processor is None:
            if self._is_stopping():
                return [HELD] * len(records)
            await asyncio.sleep(_LOOK_SECONDS)
        self._under_way += 1
        try:
            return await self._processor.process(records)
        finally:
            self._under_way -= 1
