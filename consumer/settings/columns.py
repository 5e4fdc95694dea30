"""The columns of a PostgreSQL table that a processor writes, as far as the settings tell. Pure."""

from collections.abc import Iterator

from consumer.settings.base import WHOLE
from consumer.settings.document import Path
from consumer.settings.model import Processor, Settings

_LONGEST_NAME = 63


def column_mistakes(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings a name is one that PostgreSQL would cut short, or a type is that of no column."""
    for index, processor in enumerate(settings.processors):
        store = processor.store.postgresql
        if store is None:
            continue
        path = ("processors", index, processor.kind)
        columns = dict(_columns(processor))
        for name, setting in columns.items():
            if len(name.encode()) > _LONGEST_NAME:
                message = f"the column's name `{name}` is longer than the {_LONGEST_NAME} bytes it can have"
                yield (*path, setting, name), message
        for name in store.types or ():
            if name not in columns:
                written = ", ".join(columns)
                message = f"no column `{name}`, which is in `types`, is written; these are: {written}"
                yield (*path, "store", "postgresql", "types", name), message


def _columns(processor: Processor) -> Iterator[tuple[str, str]]:
    """Each column's name, and the setting that says it."""
    projection, aggregate = processor.projection, processor.aggregate
    if projection is not None:
        yield from ((name, "key") for name in projection.key)
        yield from ((name, "fields") for name in projection.fields or (WHOLE,))
    if aggregate is not None:
        yield from ((name, "group_by") for name in aggregate.group_by)
        yield from ((name, "add") for name in aggregate.add)
