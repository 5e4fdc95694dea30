"""Items whose rows others wait for: whether they will give them up, as the source tells.

shard A, behind   ----------------- x leaves the key -------->   nobody has read this yet
shard B           --- y takes the key, and waits for x's row
the source        x has another key by now: its change is on its way, and y may wait for it
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from consumer.errors import Rejected
from consumer.processors.ledger.entry import is_digest
from consumer.processors.projection.mapping import Desired, Row
from consumer.processors.source import SourceReader, item_keys
from consumer.record import ChangeRecord, Image, StreamRecord, Version

READS = 16
"""Of the source, under way at once in one processor."""


class _Mapping(Protocol):
    def holding(self, change: ChangeRecord, image: Image | None) -> Desired: ...


class Owners:
    """Asks the source what rows the items have that a target's rows name as their owners."""

    def __init__(self, mapping: _Mapping, source: SourceReader) -> None:
        """Take what maps items, for a target with a ledger, and what reads them."""
        self._mapping = mapping
        self._source = source
        self._reads = asyncio.Semaphore(READS)

    async def rows(self, owner: str) -> Sequence[Row] | None:
        """The rows that an item should have by what the source holds now; none where it is gone or outside.

        None: that can't be told. The source may not be read; the owner is a digest; the item can't be
        mapped, so that its change is not applied either.

        Raises:
            Unavailable: the source can't be read now.
        """
        table = self._source.table
        keys = None if is_digest(owner) else item_keys(owner, table.key_types)
        if keys is None or not self._source.is_readable:
            return None
        try:
            async with self._reads:
                image = await self._source.read(keys)
        except Rejected:
            return None
        nothing, stream = msgspec.Raw(), StreamRecord(b"", "0")
        as_now = ChangeRecord(
            stream, "MODIFY", table.name, *Version(0), keys, owner, nothing, nothing, nothing
        )
        try:
            return self._mapping.holding(as_now, image).rows
        except Exception:  # noqa: BLE001 - whatever an item can make an expression raise
            return None
