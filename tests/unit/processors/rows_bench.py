"""Projections with a ledger on an in-memory DynamoDB: a source table, a read model, and the ledger."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from consumer.attributes import RESERVED
from consumer.errors import Unavailable
from consumer.processors.base import ProcessorTools
from consumer.processors.gated import GatedProcessor
from consumer.processors.keys import key_text
from consumer.processors.ledger.dynamodb import LedgerTable
from consumer.processors.projection.dynamodb_ledger import LedgeredRowSink
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.projection.owners import Owners
from consumer.processors.source import DynamoDB, SourceReader
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.settings.context import TableFacts
from consumer.settings.model import Projection
from consumer.shard.envelopes import decode
from tests.support.changes import TABLE, envelope, in_stream
from tests.support.in_memory_dynamodb import Answer, InMemoryDynamoDB, Table

VIEW, LEDGER = "view", "view-ledger"
NOW = 1_700_000_000.5
TOMBSTONE_SECONDS = 100.0

BY_CODE: Mapping[str, Any] = {"key": {"code": "new.code"}, "fields": {"v": "new.v"}}
BY_LINE: Mapping[str, Any] = {
    "for_each": "new.lines",
    "key": {"id": "keys.id", "sku": "item.sku"},
    "fields": {"n": "item.n"},
}


class RowsBench:
    """Tables, and projections between them; `now` is Unix seconds."""

    def __init__(self, **settings: object) -> None:
        """`settings`: the projection's, without the store."""
        store = {"dynamodb": {"table": VIEW}}
        self.settings = Projection.model_validate({"store": store, **settings})
        self.source, self.view, self.ledger = Table("id"), Table(*self.settings.key), Table("item")
        self.dynamodb = InMemoryDynamoDB({TABLE: self.source, VIEW: self.view, LEDGER: self.ledger})
        self.now = NOW
        self.conflicts = 0
        self.is_stopping = False

    def processor(self, client: DynamoDB | None = None, *, readable: bool = True) -> GatedProcessor[Desired]:
        """A shard process's, with a memory of its own."""
        dynamodb = client or self.dynamodb
        orders = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
        partition_key, *sort_keys = self.settings.key
        view = TableFacts(
            name=VIEW,
            region="r",
            partition_key=partition_key,
            sort_key=sort_keys[0] if sort_keys else None,
            key_types=dict.fromkeys(self.settings.key, "S"),
            ledger=LEDGER,
        )
        tools = ProcessorTools(
            clock=lambda: self.now,
            uniform=lambda: 0.0,
            is_stopping=lambda: self.is_stopping,
            on_conflict=self._count_conflict,
        )
        mapping = ProjectionMapping(self.settings, has_ledger=True)
        source = SourceReader(dynamodb, orders, readable=readable)
        sink = LedgeredRowSink(
            dynamodb,
            view,
            LedgerTable(dynamodb, LEDGER, tombstone_seconds=TOMBSTONE_SECONDS, tools=tools),
            Owners(mapping, source),
            adopt=self.settings.adopt,
            key_wait=self.settings.key_wait,
            tools=tools,
        )
        return GatedProcessor(mapping, sink, source, on_tie=lambda: None)

    def is_now(self, item: str, image: Image) -> None:
        """What the source table holds of an item; nothing, unless it is told."""
        self.source.put({"id": {"S": item}, **image})

    def _count_conflict(self) -> None:
        self.conflicts += 1

    def rows(self) -> dict[str, dict[str, str]]:
        """The read model as its readers see it: texts by attribute, by what the row is."""
        found: dict[str, dict[str, str]] = {}
        for row in self.view.rows.values():
            key = "/".join(str(row[name]["S"]) for name in self.settings.key)
            rest = row.keys() - {RESERVED} - set(self.settings.key)
            found[key] = {name: str(row[name]["S"]) for name in rest}
        return found

    def entry(self, item: str) -> Image | None:
        return self.ledger.row(item=item)

    def held(self, item: str) -> set[str]:
        """The keys of the rows that the ledger says an item has."""
        entry = self.entry(item)
        assert entry is not None
        holds = entry["holds"]["M"]
        assert isinstance(holds, dict)
        return set(holds)


class Flaky:
    """A DynamoDB of which some calls don't come back, by their number from 1 on; done or not."""

    def __init__(self, real: InMemoryDynamoDB, operation: str, *, lost: int, is_done: bool) -> None:
        self._real = real
        self._operation = operation
        self._lost = lost
        self._is_done = is_done
        self.seen = 0

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        self.seen += operation == self._operation
        if operation == self._operation and self.seen == self._lost:
            if self._is_done:
                await self._real.call(operation, request, expect=expect)
            raise Unavailable("no answer came", code="TimeoutError")
        return await self._real.call(operation, request, expect=expect)


class Retried:
    """A DynamoDB whose client loses an answer and makes the call again, as the service's own client does."""

    def __init__(self, real: InMemoryDynamoDB, lost: int = 1) -> None:
        self._real = real
        self._lost = lost
        self._seen = 0

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        answer = await self._real.call(operation, request, expect=expect)
        self._seen += operation == "TransactWriteItems"
        if operation == "TransactWriteItems" and self._seen == self._lost:
            return await self._real.call(operation, request, expect=expect)
        return answer


class Between:
    """A DynamoDB where somebody else does something before the n-th transaction."""

    def __init__(self, real: InMemoryDynamoDB, do: Callable[[], Awaitable[object]], before: int = 1) -> None:
        self._real = real
        self._do = do
        self._before = before
        self._seen = 0

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        self._seen += operation == "TransactWriteItems"
        if operation == "TransactWriteItems" and self._seen == self._before:
            await self._do()
        return await self._real.call(operation, request, expect=expect)


class Watched:
    """A DynamoDB that keeps the actions of each transaction."""

    def __init__(self, real: DynamoDB) -> None:
        self._real = real
        self.transactions: list[list[Mapping[str, Any]]] = []

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "TransactWriteItems":
            assert isinstance(request, bytes)
            self.transactions.append(orjson.loads(request)["TransactItems"])
        answer = await self._real.call(operation, request, expect=expect)
        return Answer(answer.body, answer.error)


def change(
    item: str, micros: int, new: Image | None, granularity: Granularity = Granularity.MICROSECOND
) -> ChangeRecord:
    """An item is `new` now; None: it was deleted."""
    keys = {"id": {"S": item}}
    event: EventName = "REMOVE" if new is None else "MODIFY"
    old: Image = {"id": {"S": item}, "before": {"NULL": True}}
    image: Image | None = None if new is None else {"id": {"S": item}, **new}
    data = envelope(event, keys, micros, new=image, old=old, granularity=granularity)
    return decode(in_stream(data))


def coded(code: str, v: str = "1") -> Image:
    return {"code": {"S": code}, "v": {"S": v}}


def lined(lines: Mapping[str, str]) -> Image:
    """An order of these SKUs, each with its number."""
    return {"lines": {"L": [{"M": {"sku": {"S": sku}, "n": {"S": n}}} for sku, n in lines.items()]}}


def text_of(*keys: str) -> str:
    """A row's key as the ledger has it."""
    return key_text([{"S": key} for key in keys])


def actions_on(table: str, actions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The kinds of actions on a table."""
    return [kind for action in actions for kind, request in action.items() if request["TableName"] == table]
