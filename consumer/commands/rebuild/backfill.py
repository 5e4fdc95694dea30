"""The source table itself, for what is older than the stream: a parallel scan, each item at version 0.

    the stream's start is kept --> scan, page by page --> the processor, at version 0 --> segment's progress
                                                             |
                                       a row or a tombstone is there: stale, whatever it holds

Every change is newer than version 0, so that the stream overtakes the scan wherever they meet: an item that
is deleted after it was read is deleted by the stream, or its tombstone is there already. Two scans of one
item tie where it has changed between them, and are settled by the source. A crash hands a page over again.

AWS API reference used: Scan (DynamoDB).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec
import orjson

from checkpoint.api import Api
from checkpoint.rebuilds import Backfill, Rebuilds, Segment
from checkpoint.tables import Item
from consumer.commands.redrive.deliver import Delivery, Target
from consumer.commands.redrive.patience import Patience, StoppedError
from consumer.errors import Rejected
from consumer.record import ChangeRecord, StreamRecord
from consumer.settings.context import TableFacts
from consumer.shard.envelopes import decode

SEGMENTS = 4
PAGE_ITEMS = 500
_SHOWN = 10
_LONGEST_SHOWN = 1_000
"""Characters: a key may have 3 KB, and an error a whole value."""
_RETRIES = 5
"""As in a shard: OpenSearch rejects a document while another one is just deciding its field's type."""


@dataclass(slots=True)
class Tally:
    """What a scan has done, in all its runs; `first`: what is wrong with the first few, as they came."""

    items: int = 0
    rejected: int = 0
    first: list[str] = field(default_factory=list)
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class ScannedTarget(Target):
    """The processor as items come to it that were read at a time, in Unix seconds.

    Their version says nothing of their age: they were the truth when they were read.
    """

    read_at: float = 0.0

    def is_past_horizon(self, change: ChangeRecord, now: float) -> bool:
        """Whether the tombstone of a deletion since may be gone."""
        as_of = msgspec.structs.replace(change, micros=int(self.read_at * 1_000_000))
        return Target.is_past_horizon(self, as_of, now)


class Scan:
    """A backfill of one rebuild.

    Args:
        dynamodb: in the source's region.
        source: its table.
        target: the processor, built for the new model.
        rebuilds: the rebuild's own rows.
        patience: waits where AWS can't be asked, until somebody says stop.
        clock: Unix seconds.
        page_items: how many items are read and handed over at once, in each segment.
    """

    def __init__(
        self,
        dynamodb: Api,
        source: TableFacts,
        target: Target,
        rebuilds: Rebuilds,
        patience: Patience,
        clock: Callable[[], float],
        page_items: int = PAGE_ITEMS,
    ) -> None:
        self._page_items = page_items
        self._dynamodb = dynamodb
        self._source = source
        self._target = target
        self._rebuilds = rebuilds
        self._patience = patience
        self._clock = clock
        self.tally = Tally()

    async def run(self, *, is_too_old: Callable[[Backfill], bool] = lambda _: False) -> None:
        """Hand over all items that were not yet; returns early where somebody says stop.

        `is_too_old`: the stream may have lost changes since the scan began, which then begins anew.
        """
        with suppress(StoppedError):
            backfill = await self._patience.keep_trying(self._rebuilds.read_backfill)
            if backfill is None or is_too_old(backfill):
                backfill = await self._begin()
            segments = await self._scan_all()
            done = replace(backfill, is_done=True, rejected=sum(segment.rejected for segment in segments))
            await self._patience.keep_trying(partial(self._rebuilds.write_backfill, done))
            self.tally.is_done = True

    async def _scan_all(self) -> list[Segment]:
        """Each part to its end; what stops one lets the others come to rest first."""
        ends = await asyncio.gather(
            *(self._scan(number) for number in range(SEGMENTS)), return_exceptions=True
        )
        segments: list[Segment] = []
        for end in ends:
            if isinstance(end, BaseException):
                raise end
            segments.append(end)
        return segments

    async def _begin(self) -> Backfill:
        backfill = Backfill(int(self._clock()))
        for number in range(SEGMENTS):
            await self._patience.keep_trying(partial(self._rebuilds.write_segment, Segment(number)))
        await self._patience.keep_trying(partial(self._rebuilds.write_backfill, backfill))
        return backfill

    async def _scan(self, number: int) -> Segment:
        segment = await self._patience.keep_trying(partial(self._rebuilds.read_segment, number))
        self._count(segment.items, segment.rejected, segment.first)
        while not segment.is_done:
            self._patience.see_that_nobody_stopped()
            read_at = self._clock()
            look = partial(self._dynamodb.call, "Scan", self._page(segment))
            answer = await self._patience.keep_trying(look)
            items, after = answer.body["Items"], answer.body.get("LastEvaluatedKey") or None
            rejected = await self._hand_over(items, read_at)
            first = [_shown(change, error) for change, error in rejected[:_SHOWN]]
            self._count(len(items), len(rejected), first)
            segment = Segment(
                number,
                after,
                items=segment.items + len(items),
                rejected=segment.rejected + len(rejected),
                first=(*segment.first, *first)[:_SHOWN],
                is_done=after is None,
            )
            await self._patience.keep_trying(partial(self._rebuilds.write_segment, segment))
        return segment

    def _page(self, segment: Segment) -> dict[str, object]:
        request: dict[str, object] = {
            "TableName": self._source.name,
            "ConsistentRead": True,
            "Segment": segment.number,
            "TotalSegments": SEGMENTS,
            "Limit": self._page_items,
        }
        return request if segment.after is None else {**request, "ExclusiveStartKey": segment.after}

    async def _hand_over(self, items: Sequence[Item], read_at: float) -> list[tuple[ChangeRecord, Rejected]]:
        """Give a page to the processor; those it can't take. Waits as long as the store does.

        What the store rejects is tried again, since another write may have been in its way.
        """
        target = self._target
        scanned = ScannedTarget(target.name, target.processor, target.keeps_state, target.filters, read_at)
        delivery = Delivery(scanned, self._patience, self._clock)
        rejected = await self._rejected(delivery, [as_change(self._source, item) for item in items])
        for tries in range(1, _RETRIES + 1):
            by_store = [(change, error) for change, error in rejected if error.by_store]
            if not by_store:
                break
            await self._patience.pause(tries, by_store[0][1])
            rejected = [(change, error) for change, error in rejected if not error.by_store]
            rejected += await self._rejected(delivery, [change for change, _ in by_store])
            self._patience.went_on()
        return rejected

    async def _rejected(
        self, delivery: Delivery, changes: Sequence[ChangeRecord]
    ) -> list[tuple[ChangeRecord, Rejected]]:
        """Those that the processor can't take, once all have been handed over."""
        outcomes = await delivery.deliver(changes)
        if None in outcomes:
            raise StoppedError("stopped")
        return [
            (change, outcome.error)
            for change, outcome in zip(changes, outcomes, strict=True)
            if outcome is not None and isinstance(outcome.error, Rejected)
        ]

    def _count(self, items: int, rejected: int, first: Sequence[str]) -> None:
        tally = self.tally
        tally.items += items
        tally.rejected += rejected
        tally.first += first[: _SHOWN - len(tally.first)]


def _shown(change: ChangeRecord, error: Rejected) -> str:
    return f"{change.keys}: {error.code}: {error}"[:_LONGEST_SHOWN]


def as_change(source: TableFacts, item: Item) -> ChangeRecord:
    """An item as its insertion, before all changes there are."""
    data = orjson.dumps(
        {
            "eventName": "INSERT",
            "tableName": source.name,
            "dynamodb": {
                "ApproximateCreationDateTime": 0,
                "ApproximateCreationDateTimePrecision": "MICROSECOND",
                "Keys": {name: item[name] for name in source.keys},
                "NewImage": item,
            },
        }
    )
    return decode(StreamRecord(data, "0"))
