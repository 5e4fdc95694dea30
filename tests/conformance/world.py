"""What stands around the shard processes and outlives them: source table, streams, dead letters."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby
from random import Random
from typing import Literal, NamedTuple

from consumer.record import ChangeRecord, Granularity
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.envelopes import decode
from tests.conformance.cases import Case
from tests.conformance.history import History, Shard, item_keys
from tests.support.changes import in_stream
from tests.support.in_memory_dynamodb import Table

Fault = Literal["no effect", "no answer"]


class Note(NamedTuple):
    """A line of the trace."""

    at: float
    who: str
    what: str


class World:
    """One history's; made in a running event loop.

    `unit`: the seconds that a quick step takes.
    """

    def __init__(self, case: Case, history: History, unit: float) -> None:
        self.case = case
        self.history = history
        self.unit = unit
        self.random = Random(history.seed)
        self.source = Table(*case.source_keys)
        self.shards: Sequence[Shard] = ()
        self.streams: list[list[ChangeRecord]] = []
        self.letters: list[DeadLetter] = []
        self.trace: list[Note] = []
        self._told = history.told(tuple(case.source_keys))
        self._written = 0
        self._news = asyncio.Condition()
        self._time: Callable[[], float] = asyncio.get_running_loop().time
        self._began_at = self._time()

    def note(self, who: str, what: str) -> None:
        self.trace.append(Note(self._time() - self._began_at, who, what))

    def delay(self, slowness: float) -> float:
        """How long a step of somebody so slow takes; a few leave even who is quick behind for long."""
        if self.history.stalls and self.random.random() < self.history.stalls:
            return self.random.uniform(20, 200) * self.unit
        return self.random.uniform(0.1, 2) * slowness * self.unit

    def fault(self, share: float) -> Fault | None:
        """What becomes of a call, if it is not to be as it should."""
        if self.random.random() >= self.history.faults * share:
            return None
        return self.random.choice(["no effect", "no answer"])

    def hold(self, shards: Sequence[Shard]) -> None:
        """From now on the stream consists of these shards."""
        self.shards = shards
        self.streams = [
            [decode(in_stream(self._told[number], place)) for place, number in enumerate(shard.stream, 1)]
            for shard in shards
        ]

    async def write(self, end: int | None) -> None:
        """Carry out the writes before this one, once, tick by tick: nobody reads the source in a tick."""
        history = self.history
        ahead = range(len(history.writes))[self._written : end]
        ticks = {write.clock for write in history.writes}
        tick = Granularity.MILLISECOND if "ms" in ticks else Granularity.MICROSECOND
        for _, numbers in groupby(ahead, lambda number: history.micros[number] // tick):
            if history.waits:
                await asyncio.sleep(self.random.choice([0.5, 5, 40]) * self.unit)
            for number in numbers:
                self._write(number)
            async with self._news:
                self._news.notify_all()

    async def written(self, numbers: range, shard: int) -> None:
        """Wait until the writes that these places of a shard's stream tell of were carried out."""
        last = max(self.shards[shard].stream[place] for place in numbers)
        async with self._news:
            await self._news.wait_for(lambda: self._written > last)

    def _write(self, number: int) -> None:
        write = self.history.writes[number]
        keys = item_keys(write.item, tuple(self.case.source_keys))
        if write.order is None:
            self.source.delete({name: dict(value) for name, value in keys.items()})
        else:
            self.source.put(write.order.image(keys))
        self._written = number + 1
        self.note("source", f"write {number}: {write}")
