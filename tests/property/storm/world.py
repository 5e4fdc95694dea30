"""What stands around the shard processes, and judges them by what it sees, never by what they say.

The tables, the stream and the dead letters outlive every process. A breach of the promise ends the history at
once.
"""

import asyncio
from collections import defaultdict
from random import Random
from typing import NamedTuple

from checkpoint.positions import SUFFIX
from consumer.attributes import RESERVED
from consumer.processors.gate import stamp_from_attribute
from consumer.record import Image, Version
from consumer.shard.deadletter.letter import DeadLetter
from tests.property.storm.history import EPOCH, Fault, History, image_of
from tests.property.storm.truth import Truth
from tests.support.changes import TABLE
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

VIEW = "view"
APPLICATION = "storm"


class BreachError(AssertionError):
    """The promise was broken."""


class Note(NamedTuple):
    """A line of the trace."""

    at: float
    who: str
    what: str
    details: tuple[object, ...]


class World:
    """One history's."""

    def __init__(self, history: History, trace: list[Note]) -> None:
        self.history = history
        self.truth = Truth(history)
        self.random = Random(history.seed)
        self._trace = trace
        self.breach: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.view = Table("id")
        self.received: dict[str, set[int]] = defaultdict(set)
        self.buried: dict[str | None, set[int]] = defaultdict(set)
        self._source = Table("id")
        self.dynamodb = InMemoryDynamoDB(
            {TABLE: self._source, VIEW: self.view, APPLICATION + SUFFIX: Table("key")}
        )
        self._courses = {course.name: course for course in history.courses}
        self._written = 0
        self._verified: dict[str, int] = defaultdict(int)
        self._loop = asyncio.get_running_loop()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time()

    @property
    def is_calm(self) -> bool:
        """No more faults."""
        return self.now >= self.history.calm_at

    def clock(self) -> float:
        """Unix seconds."""
        return EPOCH + self.now

    def note(self, who: str, what: str, *details: object) -> None:
        self._trace.append(Note(self.now, who, what, details))

    def broken(self, sentence: str) -> None:
        """The promise is broken; nobody who is judged could keep the history from failing."""
        self.note("world", "BREACH", sentence)
        if not self.breach.done():
            self.breach.set_exception(BreachError(sentence))

    def fault(self, where: str) -> Fault | None:
        """What the next call to a store meets."""
        now = self.now
        for fault in self.history.faults:
            is_on = fault.where == where and fault.since <= now < fault.until
            if is_on and self.random.random() < fault.rate:
                return fault
        return None

    def delay(self) -> float:
        """How long half a call takes; a few leave somebody behind for long."""
        if self.history.stall_rate and self.random.random() < self.history.stall_rate and not self.is_calm:
            return self.random.uniform(1.0, 20.0)
        return self.random.uniform(0.001, 0.03)

    def write_what_is_due(self) -> None:
        """Bring the source table up to the present."""
        writes, micros = self.history.writes, self.now * 1e6
        while self._written < len(writes) and writes[self._written].micros <= micros:
            write = writes[self._written]
            name = self.truth.names[write.item]
            image = image_of(name, write.value)
            if image is None:
                self._source.delete({"id": {"S": name}})
            else:
                self._source.put(image)
            self._written += 1

    def held_by_stream(self) -> int:
        """How many records the shard holds by now."""
        return sum(1 for at, _ in self.truth.arrivals if at <= self.now)

    def is_settled(self, processor: str, number: int) -> bool:
        """Whether the sinks show that a record has come to its end."""
        truth, change = self.truth, self.truth.change(number)
        if number in self.buried[processor] or number in self.buried[None]:
            return True
        if change is None:
            return False
        if not truth.concerns(self._courses[processor], number) or number in self.received[processor]:
            return True
        if processor != VIEW:
            return False
        row = self.view.row(id=change.item)
        return (row is not None and _is_reached(change.version, row)) or truth.is_outside(number)

    def check_settled(self, processor: str, last: int, claim: str) -> None:
        """See that every record up to `last` has come to its end."""
        for number in range(self._verified[processor] + 1, last + 1):
            if not self.is_settled(processor, number):
                self.broken(f"{claim} at {last}, but {processor} has not settled {number}")
                return
            self._verified[processor] = number

    def forget(self) -> None:
        """What was done until now proves nothing from now on: everything is to be seen again."""
        self._verified.clear()
        self.received.clear()
        self.buried = defaultdict(set, {VIEW: self.buried[VIEW]})

    def keep(self, letter: DeadLetter) -> None:
        """A dead letter is written."""
        self.buried[letter.processor].add(int(letter.record.sequence_number))

    def check_view(self) -> None:
        """See that the read model is the truth, but for items whose newest change is in a dead letter."""
        truth = self.truth
        excused = {truth.write_of(number).item for number in self.buried[VIEW] if truth.is_at_the_end(number)}
        for item in truth.items:
            shown, expected = self._shown(truth.names[item]), truth.row(self._courses[VIEW], item)
            if shown != expected and item not in excused:
                self.broken(f"the view holds {shown} of {truth.names[item]}, the truth is {expected}")

    def _shown(self, name: str) -> Image | None:
        """A row as its readers see it: without our mark, and no tombstone."""
        row = {name: value for name, value in (self.view.row(id=name) or {}).items() if name != RESERVED}
        return row if row.keys() > {"id"} else None


def _is_reached(version: Version, row: Image) -> bool:
    held = stamp_from_attribute(row[RESERVED]).version
    return held.floor(version.granularity) >= version.floor(held.granularity)
