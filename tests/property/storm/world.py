"""What stands around the shard processes, and judges them by what it sees, never by what they say.

The tables, the stream, the dead letters and KCL's lease outlive every process. A breach of the promise ends
the history at once.
"""

import asyncio
from collections import defaultdict
from random import Random
from typing import NamedTuple

from checkpoint.checkpointer import Place
from checkpoint.positions import SUFFIX, Positions
from consumer.attributes import RESERVED
from consumer.errors import Undecodable
from consumer.processors.gate import stamp_from_attribute
from consumer.record import ChangeRecord, Image, Version
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.path import decode_all
from tests.property.storm.history import BAD, EPOCH, OUT, Fault, History, Value, image_of
from tests.support.changes import TABLE
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

VIEW = "view"
APPLICATION = "storm"
SHARD = "shard"
_SLOTS = 12
"""Divided by every number of lanes there is (1 to 4)."""


_REFUSAL_SECONDS = 10.0
"""How long KCL goes on refusing checkpoints once it is calm, so that the last one is refused too."""


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

    def __init__(self, history: History) -> None:
        self.history = history
        self.names = [item_name(index, history.seed) for index in range(60)]
        self.random = Random(history.seed)
        self.trace: list[Note] = []
        self.breach: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrivals = history.stream(self.names)
        self.records = [record for _, record in self.arrivals]
        self.decoded = decode_all(self.records)
        self.source, self.view = Table("id"), Table("id")
        self.dynamodb = InMemoryDynamoDB(
            {TABLE: self.source, VIEW: self.view, APPLICATION + SUFFIX: Table("key")}
        )
        self.received: dict[str, set[int]] = defaultdict(set)
        self.buried: dict[str | None, set[int]] = defaultdict(set)
        self.owner = 0
        self.checkpoint: Place | None = None
        self._written = 0
        self._verified: dict[str, int] = defaultdict(int)
        self._loop = asyncio.get_running_loop()
        self._olds = history.old_values()

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
        self.trace.append(Note(self.now, who, what, details))

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
            name = self.names[write.item]
            image = image_of(name, write.value)
            if image is None:
                self.source.delete({"id": {"S": name}})
            else:
                self.source.put(image)
            self._written += 1

    def held_by_stream(self) -> int:
        """How many records the shard holds by now."""
        return sum(1 for at, _ in self.arrivals if at <= self.now)

    def change(self, number: int) -> ChangeRecord | None:
        """What a record says, None where it says nothing."""
        decoded = self.decoded[number - 1]
        return None if isinstance(decoded, Undecodable) else decoded

    def is_settled(self, processor: str, number: int) -> bool:
        """Whether the sinks show that a record has come to its end."""
        if number in self.buried[processor] or number in self.buried[None]:
            return True
        change = self.change(number)
        if change is None:
            return False
        if change.table != TABLE or number in self.received[processor]:
            return True
        if processor != VIEW:
            return False
        row = self.view.row(id=change.item)
        return (row is not None and _is_reached(change.version, row)) or self._is_outside(number)

    def check_settled(self, processor: str, last: int, claim: str) -> None:
        """See that every record up to `last` has come to its end."""
        for number in range(self._verified[processor] + 1, last + 1):
            if not self.is_settled(processor, number):
                self.broken(f"{claim} at {last}, but {processor} has not settled {number}")
                return
            self._verified[processor] = number

    def forget(self) -> None:
        """What was done until now proves nothing from now on: everything is to be seen again."""
        self.checkpoint = None
        self._verified.clear()
        self.received.clear()
        self.buried = defaultdict(set, {VIEW: self.buried[VIEW]})

    async def knows_its_checkpoint(self) -> bool:
        """Whether the positions say where KCL is, so that a lease set back is found out.

        They don't where the last process was killed between the checkpoint and its writing down.
        """
        row = await Positions(self.dynamodb, APPLICATION).read_shard(SHARD)
        return row is not None and row.checkpoint == self.checkpoint

    async def check_positions(self) -> None:
        """See that no processor's position is beyond what it has settled.

        A row whose checkpoint is beyond the lease's is void: somebody set the lease back.
        """
        row = await Positions(self.dynamodb, APPLICATION).read_shard(SHARD)
        at = 0 if self.checkpoint is None else int(self.checkpoint[0])
        if row is None or (row.checkpoint is not None and int(row.checkpoint[0]) > at):
            return
        for name, mark in row.processors.items():
            self.check_settled(name, int(mark.sequence_number), "positions stand")

    def take_checkpoint(self, owner: int, place: Place) -> str | None:
        """KCL's answer to a checkpoint: the name of an exception, or None."""
        last = int(place[0])
        for course in self.history.courses:
            self.check_settled(course.name, last, "a checkpoint is asked for")
        if owner != self.owner:
            return "ShutdownException"
        is_refused = (
            self.now < self.history.calm_at + _REFUSAL_SECONDS
            and self.random.random() < self.history.refusal_rate
        )
        if is_refused and self.random.random() < 0.5:
            return self.random.choice(["ThrottlingException", "KinesisClientLibDependencyException"])
        if self.checkpoint is not None and last < int(self.checkpoint[0]):
            self.broken(f"a checkpoint goes back from {self.checkpoint} to {place}")
        self.checkpoint = place
        self.note("KCL", "checkpoints", last)
        return "KinesisClientLibRetryableException" if is_refused else None

    def keep(self, letter: DeadLetter) -> None:
        """A dead letter is written."""
        self.buried[letter.processor].add(int(letter.record.sequence_number))

    def check_view(self) -> None:
        """See that the read model is the truth, but for items whose newest change is in a dead letter."""
        last: dict[int, Value] = {write.item: write.value for write in self.history.writes}
        excused = self._items_with_a_buried_end()
        for item, value in last.items():
            row = self.view.get({"id": {"S": self.names[item]}})
            shown = None if row is None else {name: part for name, part in row.items() if name != RESERVED}
            if shown is not None and shown.keys() == {"id"}:  # a tombstone
                shown = None
            expected = None if self._is_out(value) else image_of(self.names[item], value)
            if shown != expected and item not in excused:
                self.broken(f"the view holds {shown} of {self.names[item]}, the truth is {expected}")

    def _items_with_a_buried_end(self) -> set[int]:
        """Items whose newest change that concerns the read model, or one that ties with it, is buried."""
        writes = self.history.writes
        newest = {
            write.item: write
            for write, old in zip(writes, self._olds, strict=True)
            if not (self._is_out(write.value) and self._is_out(old))
        }
        excused: set[int] = set()
        for number in self.buried[VIEW]:
            change, end = (
                self.change(number),
                newest.get(writes[self.history.arrivals[number - 1].write].item),
            )
            if change is None or end is None:
                continue
            version = Version(EPOCH * 1_000_000 + end.micros, end.granularity)
            if change.version.floor(version.granularity) >= version.floor(change.granularity):
                excused.add(end.item)
        return excused

    def _is_outside(self, number: int) -> bool:
        """Whether the item was kept out before the change and after it."""
        arrival = self.history.arrivals[number - 1]
        if arrival.kind == "without images":
            return False
        return self._is_out(self.history.writes[arrival.write].value) and self._is_out(
            self._olds[arrival.write]
        )

    def _is_out(self, value: Value) -> bool:
        return value is None or (self.history.when is not None and value == OUT)


def _is_reached(version: Version, row: Image) -> bool:
    held = stamp_from_attribute(row[RESERVED]).version
    return held.floor(version.granularity) >= version.floor(held.granularity)


def item_name(index: int, seed: int) -> str:
    """An item's name, in the same lane in every process: text hashes differ, so it is looked for."""
    slot = (seed + index * 7 + index // 5) % _SLOTS
    number = 0
    while hash(f"{index}-{number}") % _SLOTS != slot:
        number += 1
    return f"{index}-{number}"


def is_bad(request: bytes) -> bool:
    """Whether a request to write holds the value that is refused for good."""
    return f'{{"S":"{BAD}"}}'.encode() in request
