"""The projection processor: maps each change and writes it through the gate, different items side by side."""

import asyncio
from collections.abc import Callable, Sequence

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import SKIPPED, Outcome, failed
from consumer.processors.gate import Stamp
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.projection.sink import ProjectionSink, SourceReader
from consumer.record import ChangeRecord

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
    ) -> None:
        self._mapping = mapping
        self._sink = sink
        self._source = source
        self._on_tie = on_tie
        self._connections = asyncio.Semaphore(CONNECTIONS)

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Write each change; an item's changes one after the other, items side by side."""
        chains: dict[str, list[int]] = {}
        for index, record in enumerate(records):
            chains.setdefault(record.item, []).append(index)
        outcomes: list[Outcome] = [SKIPPED] * len(records)

        async def carry_out(chain: list[int]) -> None:
            for index in chain:
                async with self._connections:
                    outcomes[index] = await self._outcome(records[index])

        await asyncio.gather(*(carry_out(chain) for chain in chains.values()))
        return outcomes

    async def _outcome(self, change: ChangeRecord) -> Outcome:
        try:
            desired = self._map(change)
            if desired is None:
                return SKIPPED
            written = await self._sink.write(desired, change.version)
            if isinstance(written, Stamp):
                return await self._settle_tie(change, written)
        except (Rejected, Unavailable) as error:
            return failed(error)
        return written

    def _map(self, change: ChangeRecord) -> Desired | None:
        """What the target should hold; an error the mapping has no name for is the record's fault too."""
        try:
            return self._mapping.after(change)
        except Rejected:
            raise
        except Exception as error:
            message = f"the record can't be mapped: {type(error).__name__}: {error}"
            raise Rejected(message, code="MappingFailed") from error

    async def _settle_tie(self, change: ChangeRecord, held: Stamp) -> Outcome:
        self._on_tie()

        async def source_state() -> Desired:
            return self._mapping.holding(change.keys, await self._source.read(change.keys))

        return await self._sink.settle_tie(held, change.version, source_state)
