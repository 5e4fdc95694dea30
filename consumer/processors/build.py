"""Settings -> processors: the one place that knows every kind."""

from collections.abc import Callable
from typing import Protocol

from consumer.aws.clients import Clients
from consumer.processors.base import Processor
from consumer.processors.projection.mapping import ProjectionMapping
from consumer.processors.projection.processor import ProjectionProcessor
from consumer.processors.projection.sink import ProjectionSink, SourceReader
from consumer.settings.context import ShardContext
from consumer.settings.model import Processor as ProcessorSettings


class BuildProcessor(Protocol):
    """Makes a processor of its settings; what a shard process is handed."""

    def __call__(  # noqa: D102 - see build_processor
        self,
        settings: ProcessorSettings,
        context: ShardContext,
        clients: Clients,
        *,
        clock: Callable[[], float],
        on_tie: Callable[[], None],
        is_stopping: Callable[[], bool],
    ) -> Processor: ...


def build_processor(
    settings: ProcessorSettings,
    context: ShardContext,
    clients: Clients,
    *,
    clock: Callable[[], float],
    on_tie: Callable[[], None],
    is_stopping: Callable[[], bool],
) -> Processor:
    """The processor that the settings describe, ready to open.

    Raises:
        SettingsError: an expression is wrong, or the key doesn't fit the source table.
    """
    source_table = context.source_table
    mapping = ProjectionMapping(settings.projection)
    mapping.check_keys(source_table.keys)
    target = context.targets[settings.name]
    sink = ProjectionSink(
        clients.client("dynamodb", target.region),
        target,
        adopt=settings.projection.adopt,
        tombstone_seconds=context.tombstone_seconds,
        clock=clock,
    )
    reader = SourceReader(
        clients.client("dynamodb", source_table.region), source_table, readable=context.source_readable
    )
    return ProjectionProcessor(mapping, sink, reader, on_tie=on_tie, is_stopping=is_stopping)
