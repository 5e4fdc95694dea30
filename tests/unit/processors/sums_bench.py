"""Aggregates on an in-memory DynamoDB: a source table, the sums, and a ledger."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from consumer.attributes import RESERVED
from consumer.errors import Unavailable
from consumer.processors.aggregate.above import RowsAbove
from consumer.processors.aggregate.dynamodb import SumSink
from consumer.processors.aggregate.mapping import AggregateMapping, Counted
from consumer.processors.aggregate.rows import SumRows
from consumer.processors.base import Above, ProcessorTools
from consumer.processors.gated import GatedProcessor
from consumer.processors.ledger.dynamodb import LedgerTable
from consumer.processors.ledger.transactions import Transactions
from consumer.processors.source import DynamoDB, SourceReader
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.settings.context import TableFacts
from consumer.settings.model import Aggregate
from consumer.shard.envelopes import decode
from tests.support.changes import TABLE, envelope, in_stream
from tests.support.in_memory_dynamodb import Answer, InMemoryDynamoDB, Table

SUMS, LEDGER = "sums", "sums-ledger"
SETTINGS: Mapping[str, Any] = {
    "store": {"dynamodb": {"table": SUMS}},
    "group_by": {"g": "new.g"},
    "add": {"count": "`1`", "total": "new.n"},
}
MS = Granularity.MILLISECOND
LINES: Mapping[str, Any] = {
    "for_each": "new.lines",
    "group_by": {"p": "item.p"},
    "add": {"reserved": "item.q"},
}
NOW = 1_700_000_000.9
TOMBSTONE_SECONDS = 100.0


async def _at_once(_operation: str) -> None:
    """No pause."""


class SumsBench:
    """Tables, and aggregates between them."""

    def __init__(self, pause: Callable[[str], Awaitable[None]] = _at_once, **settings: object) -> None:
        """`settings`: the aggregate's, in the place of SETTINGS."""
        self.settings = Aggregate.model_validate({**SETTINGS, **settings})
        self.source, self.sums, self.ledger = Table("id"), Table(*self.settings.group_by), Table("item")
        self.dynamodb = InMemoryDynamoDB({TABLE: self.source, SUMS: self.sums, LEDGER: self.ledger}, pause)
        self.ties = 0
        self.conflicts = 0
        self.above: list[Above] = []

    def processor(
        self,
        *,
        client: DynamoDB | None = None,
        readable: bool = True,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> GatedProcessor[Counted]:
        """A writer of its own."""
        dynamodb = client or self.dynamodb
        orders = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
        key = next(iter(self.settings.group_by))
        target = TableFacts(name=SUMS, region="r", partition_key=key, key_types={key: "S"}, ledger=LEDGER)
        tools = ProcessorTools(
            clock=lambda: NOW,
            uniform=lambda: 0.0,
            is_stopping=is_stopping,
            on_conflict=self._count_conflict,
            on_above=self.above.append,
        )
        rows = SumRows(dynamodb, target, tuple(self.settings.group_by))
        warn_above = self.settings.warn_above
        sink = SumSink(
            LedgerTable(dynamodb, LEDGER, tombstone_seconds=TOMBSTONE_SECONDS, tools=tools),
            rows,
            Transactions(dynamodb, tools),
            None if warn_above is None else RowsAbove(rows, warn_above, tools.on_above),
            tombstone_seconds=TOMBSTONE_SECONDS,
            tools=tools,
        )
        source = SourceReader(dynamodb, orders, readable=readable)
        return GatedProcessor(AggregateMapping(self.settings), sink, source, on_tie=self._count_tie)

    def counted(self) -> dict[str, dict[str, str]]:
        """The sums by group, those of zero left out."""
        found: dict[str, dict[str, str]] = {}
        keys = self.settings.group_by.keys()
        for row in self.sums.rows.values():
            group = " ".join(str(next(iter(row[name].values()))) for name in keys)
            sums = {name: str(value["N"]) for name, value in row.items() if name not in keys and "N" in value}
            found[group] = {name: text for name, text in sums.items() if text != "0"}
        return {group: sums for group, sums in found.items() if sums}

    def entry(self, item: str) -> Image | None:
        """An item's entry without its stamp."""
        entry = self.ledger.row(item=item)
        return None if entry is None else {name: value for name, value in entry.items() if name != RESERVED}

    def _count_tie(self) -> None:
        self.ties += 1

    def _count_conflict(self) -> None:
        self.conflicts += 1


def item(name: str, group: str, number: str) -> Image:
    return {"id": {"S": name}, "g": {"S": group}, "n": {"N": number}}


def order(name: str, *lines: tuple[str, str]) -> Image:
    """An item with a list of products and quantities."""
    parts = [{"M": {"p": {"S": product}, "q": {"N": quantity}}} for product, quantity in lines]
    return {"id": {"S": name}, "lines": {"L": parts}}


def change(
    new: Image | None,
    micros: int,
    *,
    old: Image | None = None,
    granularity: Granularity = Granularity.MICROSECOND,
    by: Mapping[str, str] | None = None,
) -> ChangeRecord:
    event: EventName = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    keys: dict[str, Any] = {"id": (new or old or {})["id"]}
    data = envelope(event, keys, micros, new=new, old=old, granularity=granularity, user_identity=by)
    return decode(in_stream(data))


class Away:
    """A DynamoDB that can't take one operation, however often."""

    def __init__(self, real: InMemoryDynamoDB, operation: str) -> None:
        self._real = real
        self._operation = operation

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == self._operation:
            raise Unavailable("throttled", code="ThrottlingException")
        return await self._real.call(operation, request, expect=expect)
