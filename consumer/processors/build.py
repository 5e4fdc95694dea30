"""Settings -> processors: the one place that knows every kind."""

from typing import Protocol

from consumer.errors import SettingsError
from consumer.processors.aggregate.above import RowsAbove
from consumer.processors.aggregate.dynamodb import SumSink
from consumer.processors.aggregate.mapping import AggregateMapping
from consumer.processors.aggregate.rows import SumRows
from consumer.processors.base import Processor, ProcessorTools
from consumer.processors.gate import LATE_SECONDS
from consumer.processors.gated import GatedProcessor
from consumer.processors.group_commit import GroupCommit
from consumer.processors.ledger.dynamodb import LedgerTable
from consumer.processors.ledger.transactions import Transactions
from consumer.processors.projection.documents import Documents
from consumer.processors.projection.dynamodb import RowSink
from consumer.processors.projection.dynamodb_ledger import LedgeredRowSink
from consumer.processors.projection.mapping import ProjectionMapping
from consumer.processors.projection.opensearch import IndexSink
from consumer.processors.projection.owners import Owners
from consumer.processors.projection.plan import needs_ledger
from consumer.processors.projection.purge import Purge
from consumer.processors.source import SourceReader
from consumer.settings.context import IndexFacts, ShardContext, SqlFacts, TableFacts
from consumer.settings.model import Aggregate, Projection
from consumer.settings.model import Processor as ProcessorSettings
from consumer.stores.opened import Stores
from consumer.stores.opensearch.index import Index


class BuildProcessor(Protocol):
    """Makes a processor of its settings; what a shard process is handed."""

    def __call__(  # noqa: D102 - see build_processor
        self, settings: ProcessorSettings, context: ShardContext, stores: Stores, tools: ProcessorTools
    ) -> Processor: ...


def build_processor(
    settings: ProcessorSettings, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    """The processor that the settings describe.

    Raises:
        SettingsError: an expression is wrong, or the key doesn't fit the source table.
    """
    if settings.projection is not None:
        return _projection(settings.name, settings.projection, context, stores, tools)
    if settings.aggregate is not None:
        return _aggregate(settings.name, settings.aggregate, context, stores, tools)
    raise SettingsError(f"processors.{settings.name}: nothing says what it does")


def _projection(
    name: str, settings: Projection, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    target = context.targets[name]
    if isinstance(target, IndexFacts):
        return _documents(settings, target, context, stores, tools)
    if isinstance(target, SqlFacts):
        return _sql_rows(settings, target, context, stores, tools)
    mapping = ProjectionMapping(settings, has_ledger=needs_ledger(settings))
    mapping.check_keys(context.source_table.keys)
    client = stores.aws.client("dynamodb", target.region)
    source = _source(context, stores)
    seconds = context.tombstone_seconds
    if not needs_ledger(settings):
        sink = RowSink(
            client,
            target,
            adopt=settings.adopt,
            tombstone_seconds=seconds,
            clock=tools.clock,
            is_stopping=tools.is_stopping,
        )
        return GatedProcessor(mapping, sink, source, on_tie=tools.on_tie)
    if target.ledger is None:
        raise SettingsError(f"processors.{name}: the keys of its rows move, and its target has no ledger")
    ledger = LedgerTable(client, target.ledger, tombstone_seconds=seconds, tools=tools)
    owners = Owners(mapping, source)
    ledgered = LedgeredRowSink(
        client, target, ledger, owners, adopt=settings.adopt, key_wait=settings.key_wait, tools=tools
    )
    return GatedProcessor(mapping, ledgered, source, on_tie=tools.on_tie)


def _sql_rows(
    settings: Projection, target: SqlFacts, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    # psycopg takes 0.1 s to import: a process pays for its own stores only.
    from consumer.processors.projection.postgresql import SqlSink  # noqa: PLC0415

    store = settings.store.postgresql
    if store is None:
        raise SettingsError(f"{target.table}: the settings name another store")
    mapping = ProjectionMapping(settings, form="plain", has_ledger=True)
    source_keys = context.source_table.keys
    mapping.check_keys(source_keys)
    source = _source(context, stores)
    sink = SqlSink(
        stores.postgresql(store),
        target,
        settings,
        tools,
        Owners(mapping, source),
        may_share=not mapping.covers(source_keys),
        tombstone_seconds=context.tombstone_seconds,
    )
    return GatedProcessor(mapping, GroupCommit(sink), source, on_tie=tools.on_tie)


def _documents(
    settings: Projection, target: IndexFacts, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    store = settings.store.opensearch
    if store is None:
        raise SettingsError(f"{target.index}: the settings name another store")
    mapping = ProjectionMapping(settings, form="plain")
    mapping.check_keys(context.source_table.keys)
    seconds = context.tombstone_seconds
    index = Index(stores.opensearch(store), target.index)
    sink = IndexSink(
        index,
        Documents(mapping, context.source_table.keys, lambda: int(tools.clock() + seconds + LATE_SECONDS)),
        Purge(index, clock=tools.clock, uniform=tools.uniform),
        tombstone_seconds=seconds,
        is_stopping=tools.is_stopping,
    )
    return GatedProcessor(mapping, sink, _source(context, stores), on_tie=tools.on_tie)


def _aggregate(
    name: str, settings: Aggregate, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    target = context.targets[name]
    if isinstance(target, SqlFacts):
        return _sql_sums(settings, target, context, stores, tools)
    if not isinstance(target, TableFacts) or target.ledger is None:
        raise SettingsError(f"processors.{name}: its target has no ledger")
    client = stores.aws.client("dynamodb", target.region)
    seconds = context.tombstone_seconds
    rows = SumRows(client, target, tuple(settings.group_by))
    sink = SumSink(
        LedgerTable(client, target.ledger, tombstone_seconds=seconds, tools=tools),
        rows,
        Transactions(client, tools),
        None if settings.warn_above is None else RowsAbove(rows, settings.warn_above, tools.on_above),
        tombstone_seconds=seconds,
        tools=tools,
    )
    return GatedProcessor(AggregateMapping(settings), sink, _source(context, stores), on_tie=tools.on_tie)


def _sql_sums(
    settings: Aggregate, target: SqlFacts, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    from consumer.processors.aggregate.postgresql import SqlSumSink  # noqa: PLC0415 - as above

    store = settings.store.postgresql
    if store is None:
        raise SettingsError(f"{target.table}: the settings name another store")
    sink = SqlSumSink(
        stores.postgresql(store), target, settings, tools, tombstone_seconds=context.tombstone_seconds
    )
    return GatedProcessor(
        AggregateMapping(settings), GroupCommit(sink), _source(context, stores), on_tie=tools.on_tie
    )


def _source(context: ShardContext, stores: Stores) -> SourceReader:
    table = context.source_table
    client = stores.aws.client("dynamodb", table.region)
    return SourceReader(client, table, readable=context.source_readable)
