"""The projection processor: maps each change and writes it through the gate, different items side by side."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TypeVar

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import HELD, SKIPPED, Outcome, failed
from consumer.processors.gate import SHORTEST_TOMBSTONE_SECONDS, Stamp
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.projection.sink import ProjectionSink, SourceReader
from consumer.record import ChangeRecord

_Mapped = TypeVar("_Mapped")

CONNECTIONS = 64
"""Writes under way at once in one shard process."""


class ProjectionProcessor:
    """Keeps one DynamoDB read model true to the source table."""

    def __init__(
        self,
        mapping: ProjectionMapping,
        sink: ProjectionSink,
        source: SourceReader,
        *,
        on_tie: Callable[[], None],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_stopping`: from then on no write is begun, and what was not is held."""
        self._mapping = mapping
        self._sink = sink
        self._source = source
        self._on_tie = on_tie
        self._is_stopping = is_stopping
        self._connections = asyncio.Semaphore(CONNECTIONS)

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Write each change; an item's changes one after the other, items side by side."""
        return await self._by_item(records, self._outcome)

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered; None: for ever.

        Tombstones that were written before a retention was lengthened live shorter than those of today, and a
        table without TTL may have had it once: where the source can be read, that is cheaper than to rely on
        them.
        """
        return SHORTEST_TOMBSTONE_SECONDS if self._source.is_readable else self._sink.tombstones_last

    async def settle_by_source(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Write what the source holds now at each change's version, through the same gate.

        Right for a change of any age: should the item change after it was read, that change is newer, wins
        over this write, and its tombstone, if it has one, is a fresh one.
        """
        return await self._by_item(records, self._outcome_by_source)

    async def _by_item(
        self,
        records: Sequence[ChangeRecord],
        outcome_of: Callable[[ChangeRecord], Coroutine[None, None, Outcome]],
    ) -> list[Outcome]:
        chains: dict[str, list[int]] = {}
        for index, record in enumerate(records):
            chains.setdefault(record.item, []).append(index)
        outcomes: list[Outcome] = [HELD] * len(records)

        async def carry_out(chain: list[int]) -> None:
            for index in chain:
                async with self._connections:
                    if self._is_stopping():
                        return
                    outcomes[index] = await outcome_of(records[index])

        # An error that nobody foresaw leaves no write behind that goes on while the record is tried again.
        ends = await asyncio.gather(*(carry_out(chain) for chain in chains.values()), return_exceptions=True)
        for error in filter(None, ends):
            raise error
        return outcomes

    async def _outcome(self, change: ChangeRecord) -> Outcome:
        try:
            desired = self._named(lambda: self._mapping.after(change))
            if desired is None:
                return SKIPPED
            written = await self._sink.write(desired, change.version)
            if isinstance(written, Stamp):
                return await self._settle_tie(change, written)
        except (Rejected, Unavailable) as error:
            return failed(error)
        return written

    @staticmethod
    def _named(mapped: Callable[[], _Mapped]) -> _Mapped:
        """What the mapping gives; an error it has no name for is the record's fault too."""
        try:
            return mapped()
        except Rejected:
            raise
        except Exception as error:
            message = f"the record can't be mapped: {type(error).__name__}: {error}"
            raise Rejected(message, code="MappingFailed") from error

    async def _settle_tie(self, change: ChangeRecord, held: Stamp) -> Outcome:
        self._on_tie()
        self._source.see_that_ties_can_be_settled()
        return await self._sink.settle_tie(held, change.version, partial(self._source_state, change))

    async def _outcome_by_source(self, change: ChangeRecord) -> Outcome:
        source_state = partial(self._source_state, change)
        try:
            self._source.see_that_old_changes_can_be_settled()
            written = await self._sink.write(await source_state(), change.version)
            if isinstance(written, Stamp):
                return await self._sink.settle_tie(written, change.version, source_state)
        except (Rejected, Unavailable) as error:
            return failed(error)
        return written

    async def _source_state(self, change: ChangeRecord) -> Desired:
        """What the target should hold by what the source holds now."""
        image = await self._source.read(change.keys)
        return self._named(lambda: self._mapping.holding(change.keys, image))
