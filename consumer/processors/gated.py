"""A processor that keeps state: maps each change, writes it through the version gate, settles ties.

change --mapping--> what the target should hold --sink, through the gate--> applied or stale
                        ^                             | a tie
                        |                             v
                        +------ consistent read of the source item, written over what ties as it was read

A crash after any arrow repeats from the top, where the target tells what was done.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import HELD, SKIPPED, Outcome, failed
from consumer.processors.gate import SHORTEST_TOMBSTONE_SECONDS, Stamp
from consumer.processors.source import SourceReader
from consumer.record import ChangeRecord, Image, Version

_MOST_ROUNDS = 20
"""Rounds of settling one tie against other writers before it is left to a later try."""

READS = 64
"""Reads of the source under way at once in one shard process."""


class HasDigest(Protocol):
    """What a target should hold of an item; more of it only its mapping and its sink know."""

    @property
    def digest(self) -> str:
        """Of the source image it comes from; `-` for none."""
        ...


DesiredT = TypeVar("DesiredT", bound=HasDigest)
DesiredT_co = TypeVar("DesiredT_co", bound=HasDigest, covariant=True)


@dataclass(frozen=True, slots=True)
class Write(Generic[DesiredT]):
    """One item's write.

    Attributes:
        item: the item's identity within its table.
        version: the change's.
        desired: what the target should hold.
        over: None: written if the target's is older. A stamp: what it ties with, as it was read; `desired` is
            what the source was read to hold since, and is written if the target's stamp is still this one.
    """

    item: str
    version: Version
    desired: DesiredT
    over: Stamp | None = None

    @property
    def stamp(self) -> Stamp:
        """What the gate judges it by."""
        return Stamp(self.version, self.desired.digest)


Written = Outcome | Stamp
"""What became of a write; a stamp: it ties with this one, which the target holds."""


class Mapping(Protocol[DesiredT_co]):
    """The pure part of a processor."""

    def after(self, change: ChangeRecord) -> DesiredT_co | None:
        """What the target should hold after a change; None: it is none of its business.

        Raises:
            Rejected: it can't be mapped.
        """
        ...

    def holding(self, change: ChangeRecord, image: Image | None) -> DesiredT_co:
        """What the target should hold while the change's item is `image` (None: it doesn't exist).

        Raises:
            Rejected: it can't be mapped.
        """
        ...


class Sink(Protocol[DesiredT]):
    """The I/O of a processor."""

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered; None: for ever."""
        ...

    async def write(self, writes: Sequence[Write[DesiredT]]) -> list[Written]:
        """Write different items through the gate; one answer per write, in the same order.

        What is not begun since the process is about to end is held.

        Raises:
            Rejected: some write is at fault, and it can't tell which: the batch is halved.
            Unavailable: none is.
        """
        ...


class GatedProcessor(Generic[DesiredT]):
    """Keeps one target true to the source table."""

    def __init__(
        self,
        mapping: Mapping[DesiredT],
        sink: Sink[DesiredT],
        source: SourceReader,
        *,
        on_tie: Callable[[], None],
    ) -> None:
        self._mapping = mapping
        self._sink = sink
        self._source = source
        self._on_tie = on_tie
        self._reads = asyncio.Semaphore(READS)

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered; None: for ever.

        Tombstones that were written before a retention was lengthened live shorter than those of today, and a
        table without TTL may have had it once: where the source can be read, that is cheaper than to rely on
        them.
        """
        return SHORTEST_TOMBSTONE_SECONDS if self._source.is_readable else self._sink.tombstones_last

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Write each change; an item's changes one after the other, different items as the sink can."""
        return await self._by_waves(records, self._map)

    async def settle_by_source(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Write what the source holds now at each change's version, through the same gate.

        Right for a change of any age: should the item change after it was read, that change is newer, wins
        over this write, and its tombstone, if it has one, is a fresh one.
        """
        try:
            self._source.see_that_old_changes_can_be_settled()
        except Rejected as error:
            return [failed(error)] * len(records)
        return await self._by_waves(records, self._read_all)

    async def _by_waves(self, records: Sequence[ChangeRecord], desire: "_Desire[DesiredT]") -> list[Outcome]:
        outcomes: list[Outcome] = [HELD] * len(records)
        behind: set[str] = set()
        for wave in waves(records):
            going = [index for index in wave if records[index].item not in behind]
            found = await self._carry_out([records[index] for index in going], desire)
            for index, outcome in zip(going, found, strict=True):
                outcomes[index] = outcome
                if outcome.kind in ("failed", "held"):
                    behind.add(records[index].item)
        return outcomes

    async def _carry_out(self, changes: Sequence[ChangeRecord], desire: "_Desire[DesiredT]") -> list[Outcome]:
        outcomes: list[Outcome] = [HELD] * len(changes)
        desired = await desire(changes)
        pending: list[int] = []
        writes: list[Write[DesiredT]] = []
        for index, (change, wanted) in enumerate(zip(changes, desired, strict=True)):
            if isinstance(wanted, Outcome):
                outcomes[index] = wanted
            else:
                pending.append(index)
                writes.append(Write(change.item, change.version, wanted))
        ties: dict[int, Stamp] = {}
        for index, written in zip(pending, await self._sink.write(writes) if writes else (), strict=True):
            if isinstance(written, Stamp):
                ties[index] = written
            else:
                outcomes[index] = written
        if ties:
            await self._settle(changes, ties, outcomes)
        return outcomes

    async def _settle(
        self, changes: Sequence[ChangeRecord], ties: dict[int, Stamp], outcomes: list[Outcome]
    ) -> None:
        """Write what the source says at each tie's version, over the target as it was read."""
        for _ in ties:
            self._on_tie()
        try:
            self._source.see_that_ties_can_be_settled()
        except Rejected as error:
            outcomes[:] = [failed(error) if index in ties else was for index, was in enumerate(outcomes)]
            return
        for _ in range(_MOST_ROUNDS):
            indexes = list(ties)
            desired = await self._read_all([changes[index] for index in indexes])
            writes: list[Write[DesiredT]] = []
            for index, wanted in zip(indexes, desired, strict=True):
                if isinstance(wanted, Outcome):
                    outcomes[index] = wanted
                    del ties[index]
                else:
                    change = changes[index]
                    writes.append(Write(change.item, change.version, wanted, ties[index]))
            written = await self._sink.write(writes) if writes else []
            for index, answer in zip(list(ties), written, strict=True):
                if isinstance(answer, Stamp):
                    ties[index] = answer
                else:
                    outcomes[index] = answer
                    del ties[index]
            if not ties:
                return
        message = "other writers kept changing the row while a tie was being settled"
        for index in ties:
            outcomes[index] = failed(Unavailable(message, code="TieContended", of_item=True))

    async def _map(self, changes: Sequence[ChangeRecord]) -> list[DesiredT | Outcome]:
        desired: list[DesiredT | Outcome] = []
        for change in changes:
            wanted = self._named(change, self._mapping.after)
            desired.append(SKIPPED if wanted is None else wanted)
        return desired

    async def _read_all(self, changes: Sequence[ChangeRecord]) -> list[DesiredT | Outcome]:
        """What the target should hold by what the source holds now."""
        return list(await asyncio.gather(*map(self._read, changes)))

    async def _read(self, change: ChangeRecord) -> DesiredT | Outcome:
        try:
            async with self._reads:
                image = await self._source.read(change.keys)
        except (Rejected, Unavailable) as error:
            return failed(error)
        return self._named(change, lambda change: self._mapping.holding(change, image))

    @staticmethod
    def _named(change: ChangeRecord, mapped: Callable[[ChangeRecord], "_Mapped"]) -> "_Mapped | Outcome":
        """What the mapping gives; an error it has no name for is the record's fault too."""
        try:
            return mapped(change)
        except Rejected as error:
            return failed(error)
        except Exception as error:  # noqa: BLE001 - whatever a record can make an expression raise
            message = f"the record can't be mapped: {type(error).__name__}: {error}"
            return failed(Rejected(message, code="MappingFailed"))


_Mapped = TypeVar("_Mapped")


class _Desire(Protocol[DesiredT]):
    async def __call__(self, changes: Sequence[ChangeRecord]) -> list[DesiredT | Outcome]: ...


def waves(changes: Sequence[ChangeRecord]) -> list[list[int]]:
    """The changes' places, in batches of different items: an item's changes one batch after the other."""
    batches: list[list[int]] = []
    had: dict[str, int] = {}
    for index, change in enumerate(changes):
        batch = had.get(change.item, -1) + 1
        had[change.item] = batch
        if batch == len(batches):
            batches.append([])
        batches[batch].append(index)
    return batches
