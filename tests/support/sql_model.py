"""A processor with a read model in PostgreSQL, made as the pod makes it and built as a shard process does."""

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg

from consumer.attributes import Plain, from_plain
from consumer.aws.clients import Clients
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.postgresql import SqlTarget
from consumer.processors.base import Above, Processor, ProcessorTools
from consumer.processors.build import build_processor
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.settings.context import ShardContext, SqlFacts, TableFacts
from consumer.settings.model import Processor as ProcessorSettings
from consumer.settings.model import Settings
from consumer.settings.stores import PostgreSQLTable
from consumer.shard.envelopes import decode
from consumer.stores.opened import Stores
from consumer.stores.postgresql.connecting import Limits
from consumer.stores.postgresql.database import Database
from consumer.stores.postgresql.names import quoted
from tests.support.changes import BY_TTL, TABLE, envelope, in_stream
from tests.support.context import APPLICATION, REGION
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

LIMITS = Limits(connect=20, network=20, idle=20.0, lock=20.0, statement=20.0, transaction=40.0)
"""None ends on a busy machine; a test that is to see one end makes it short."""

ORDERS = TableFacts(name=TABLE, region=REGION, partition_key="id", key_types={"id": "S"})
VIEW: Mapping[str, Any] = {"key": {"id": "keys.id"}, "fields": {"v": "new.v"}}


class _Clients:
    """DynamoDB in memory, for reads of the source."""

    def __init__(self, dynamodb: InMemoryDynamoDB) -> None:
        self._dynamodb = dynamodb

    def client(self, service: str, region: str) -> InMemoryDynamoDB:
        return self._dynamodb


class ModelStores(Stores):
    """Stores whose databases have short limits."""

    def __init__(self, dynamodb: InMemoryDynamoDB, limits: Limits = LIMITS) -> None:
        super().__init__(cast("Clients", _Clients(dynamodb)), {})
        self._limits = limits

    def postgresql(self, store: PostgreSQLTable) -> Database:
        url = store.url or ""
        database = Database(url, connections=store.connections, uniform=random.random, limits=self._limits)
        return self._databases.setdefault(url, database)


@dataclass(slots=True)
class SqlModel:
    """One processor into one table of one database; each `open` is another shard process's.

    `kind` is projection or aggregate, `settings` the processor's but for its store.
    """

    url: str
    settings: Mapping[str, Any] = field(default_factory=lambda: VIEW)
    kind: str = "projection"
    store: Mapping[str, Any] = field(default_factory=dict)
    name: str = "view"
    application: str = APPLICATION
    facts: TableFacts = ORDERS
    start_here: bool = False
    source: Table = field(default_factory=lambda: Table("id"))
    clock: Callable[[], float] = time.time
    limits: Limits = LIMITS
    above: list[Above] = field(default_factory=list)
    ties: list[None] = field(default_factory=list)

    @property
    def processor(self) -> ProcessorSettings:
        store = {"postgresql": {"url": self.url, "table": self.name, "create": True, **self.store}}
        settings = {"store": store, **self.settings}
        return ProcessorSettings.model_validate(
            {"name": self.name, self.kind: settings, "start_here": self.start_here}
        )

    @property
    def target(self) -> SqlTarget:
        store = self.processor.store.postgresql
        assert store is not None
        return SqlTarget(self.processor, store, self.facts, self.application)

    async def make(self, *, has_run: bool = False) -> SqlFacts:
        """What the pod does at its start; raises SettingsError."""
        async with self._database() as database:
            return await self.target.make(database, has_run=has_run)

    async def look(self) -> tuple[SqlFacts | None, list[str]]:
        """What `validate --aws` sees, and the problems it tells."""
        findings = Findings()
        async with self._database() as database:
            return await self.target.look(database, findings), findings.problems

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        database = Database(self.url, connections=2, uniform=random.random, limits=self.limits)
        yield database
        await database.close()

    @asynccontextmanager
    async def open(
        self,
        *,
        url: str | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] | None = None,
    ) -> AsyncIterator[Processor]:
        """The processor as a shard process has it; `url` reaches the same database by another way."""
        facts = await self.make()
        model = self if url is None else SqlModel(**{**self._parts(), "url": url})
        stores = ModelStores(InMemoryDynamoDB({self.facts.name: self.source}), self.limits)
        tools = ProcessorTools(
            clock=clock or self.clock,
            uniform=random.random,
            on_tie=lambda: self.ties.append(None),
            is_stopping=is_stopping,
            on_above=self.above.append,
        )
        yield build_processor(model.processor, model._context(facts), stores, tools)  # noqa: SLF001 - its own kind
        await stores.close()

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def _context(self, facts: SqlFacts) -> ShardContext:
        settings = {
            "application": self.application,
            "source": {"kinesis": {"stream": "orders-changes", "table": self.facts.name}},
            "processors": [self.processor],
        }
        return ShardContext(
            settings=Settings.model_validate(settings),
            worker_id="pod-0",
            region=REGION,
            endpoints=(),
            source_table=self.facts,
            source_readable=True,
            targets={self.name: facts},
            stream_retention_hours=24,
            first_start_at=0.0,
        )

    def query(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """What a reader sees."""
        return query(self.url, text, *values)

    def rows(self) -> list[tuple[Any, ...]]:
        """The read model without our own column, by its first column."""
        columns = [name for (name,) in self.query(_COLUMNS, self.name) if name != "_tidemark"]
        names = ", ".join(map(quoted, columns))
        return self.query(f'SELECT {names} FROM "{self.name}" ORDER BY 1, 2')  # noqa: S608 - the test's own names


_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position"
)


def query(url: str, text: str, *values: object) -> list[tuple[Any, ...]]:
    """One statement by a connection of its own."""
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        cursor = connection.execute(text.encode(), values)
        return cursor.fetchall() if cursor.description else []


async def kinds(processor: Processor, *changes: ChangeRecord) -> list[str]:
    """How each change ended: its outcome's kind, or the code of its error."""
    outcomes = await processor.process(changes)
    return [outcome.kind if outcome.error is None else outcome.error.code for outcome in outcomes]


def change(
    item: str,
    micros: int,
    new: Mapping[str, object] | None,
    old: Mapping[str, object] | None = None,
    *,
    granularity: Granularity = Granularity.MICROSECOND,
    by_ttl: bool = False,
) -> ChangeRecord:
    """An item of the source became `new` (None: it is gone), of plain values beside its key `id`."""
    event: EventName = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    data = envelope(
        event,
        {"id": {"S": item}},
        micros,
        new=None if new is None else image(item, new),
        old=None if old is None else image(item, old),
        granularity=granularity,
        user_identity=BY_TTL if by_ttl else None,
    )
    return decode(in_stream(data))


def image(item: str, values: Mapping[str, object]) -> Image:
    """An item of plain values."""
    return {"id": {"S": item}, **{name: from_plain(cast("Plain", value)) for name, value in values.items()}}
