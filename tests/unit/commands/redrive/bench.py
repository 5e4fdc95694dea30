"""A redrive without AWS: letters in a list, processors that write down what they are given."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.order import Order
from consumer.commands.redrive.patience import Patience
from consumer.commands.redrive.reading import Reader
from consumer.commands.redrive.run import Redrive
from consumer.commands.redrive.source import Found
from consumer.commands.redrive.tally import Tally
from consumer.errors import Rejected
from consumer.filters.pattern import Filter
from consumer.processors.base import APPLIED, Outcome
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import ClaimCheck, DeadLetter, Origin, encode, to_document
from tests.support.changes import TABLE, put

APPLICATION = "shop"
REBUILD = "shop-view-rebuild"
"""The application of a rebuild that was cut over to."""
DAY = 86_400.0
NOW = 1_700_000_000.0


def letter(
    change: ChangeRecord, processor: str | None = "view", application: str = APPLICATION, number: int = 1
) -> bytes:
    """The letter of a change, as it is kept."""
    dead = DeadLetter(processor, change.stream, Rejected("no", code="BadValue"), 6)
    return encode(to_document(dead, Origin(application, "changes", f"shard-{number}"), NOW))


def written(item: str, *, age: float = 60.0, table: str = TABLE, v: str = "") -> ChangeRecord:
    """An item was written so many seconds ago."""
    return put(item, int((NOW - age) * 1_000_000), table=table, v=v)


@dataclass(slots=True)
class Letters:
    """A place of letters; `log` is shared with the processors. `step` is called before anything is done."""

    texts: Sequence[bytes]
    log: list[str]
    step: Callable[[], None] = lambda: None
    removed: list[str] = field(default_factory=list)
    anew: set[str] = field(default_factory=set)
    is_closed: bool = False
    held_by_others: int = 0
    _next: int = 0

    async def count(self) -> int:
        return len(self.texts)

    async def hidden(self) -> int:
        return self.held_by_others

    async def take(self, most: int) -> list[Found]:
        self.step()
        first, self._next = self._next, min(self._next + most, len(self.texts))
        return [Found(str(at), f"letter {at}", self.texts[at]) for at in range(first, self._next)]

    async def remove(self, found: Sequence[Found]) -> list[Found]:
        self.step()
        stays = [entry for entry in found if entry.key in self.anew]
        for entry in found:
            if entry not in stays:
                self.removed.append(entry.key)
                self.log.append(f"removed {entry.key}")
        return stays

    async def close(self) -> None:
        self.is_closed = True


Act = Callable[[ChangeRecord], Outcome]


@dataclass(slots=True)
class Events:
    """A processor that keeps no state. `act` says what becomes of a record, or raises for its batch."""

    name: str
    log: list[str]
    act: Act = lambda _change: APPLIED
    batches: list[list[ChangeRecord]] = field(default_factory=list)

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        await asyncio.sleep(0)
        return self._settle("", records)

    def _settle(self, how: str, records: Sequence[ChangeRecord]) -> list[Outcome]:
        self.batches.append(list(records))
        outcomes = [self.act(record) for record in records]
        for record, outcome in zip(records, outcomes, strict=True):
            self.log.append(f"{self.name} {outcome.kind} {record.item}{how}")
        return outcomes


@dataclass(slots=True)
class State(Events):
    """A processor that keeps state, and a deletion in mind for a day."""

    @property
    def tombstones_last(self) -> float | None:
        return DAY

    async def settle_by_source(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        await asyncio.sleep(0)
        return self._settle(" by source", records)


class NoClaimChecks:
    """None of the letters is too large for its place."""

    async def fetch(self, check: ClaimCheck) -> bytes | None:
        raise AssertionError(check)

    async def remove(self, check: ClaimCheck) -> None:
        raise AssertionError(check)


@dataclass(slots=True)
class Bench:
    """Everything a run needs."""

    log: list[str] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    now: float = NOW
    on_wait: Callable[[], None] = lambda: None

    def state(self, name: str = "view", act: Act = lambda _change: APPLIED) -> State:
        return State(name, self.log, act)

    def events(self, name: str = "told", act: Act = lambda _change: APPLIED) -> Events:
        return Events(name, self.log, act)

    def patience(self) -> Patience:
        def tell(why: str | None) -> None:
            self.told.append(why)
            self.on_wait()

        return Patience(self.stop, lambda: 0.0, tell)

    def letters(self, texts: Iterable[bytes], step: Callable[[], None] = lambda: None) -> Letters:
        return Letters(list(texts), self.log, step)

    async def redrive(
        self,
        letters: Letters,
        *processors: Events,
        filters: Filter | None = None,
        only: str | None = None,
        out_of_order: bool = False,
        limit: int | None = None,
    ) -> Tally:
        targets = {
            processor.name: Target(processor.name, processor, isinstance(processor, State), filters)
            for processor in processors
        }
        order = Order(TABLE, only, out_of_order, limit)
        run = Redrive(
            letters,
            NoClaimChecks(),
            Reader({APPLICATION, REBUILD}, NoClaimChecks()),
            targets,
            order,
            self.patience(),
            lambda: self.now,
            lambda _tally: None,
        )
        return await run.run()
