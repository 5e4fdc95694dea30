"""Settings -> processors: the one place that knows every kind."""

from typing import Protocol

from consumer.errors import SettingsError
from consumer.processors.base import Processor, ProcessorTools
from consumer.processors.gated import GatedProcessor
from consumer.processors.projection.dynamodb import RowSink
from consumer.processors.projection.mapping import ProjectionMapping
from consumer.processors.source import SourceReader
from consumer.settings.context import ShardContext, TableFacts
from consumer.settings.model import Processor as ProcessorSettings
from consumer.settings.model import Projection
from consumer.stores.opened import Stores


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
    raise SettingsError(f"processors.{settings.name}: aggregates come with a later release")


def _projection(
    name: str, settings: Projection, context: ShardContext, stores: Stores, tools: ProcessorTools
) -> Processor:
    target = context.targets[name]
    if not isinstance(target, TableFacts):
        raise SettingsError(f"processors.{name}: only DynamoDB is a store yet")
    mapping = ProjectionMapping(settings)
    mapping.check_keys(context.source_table.keys)
    sink = RowSink(
        stores.aws.client("dynamodb", target.region),
        target,
        adopt=settings.adopt,
        tombstone_seconds=context.tombstone_seconds,
        clock=tools.clock,
        is_stopping=tools.is_stopping,
    )
    return GatedProcessor(mapping, sink, _source(context, stores), on_tie=tools.on_tie)


def _source(context: ShardContext, stores: Stores) -> SourceReader:
    table = context.source_table
    client = stores.aws.client("dynamodb", table.region)
    return SourceReader(client, table, readable=context.source_readable)
