"""What a processor's filters may not be, beyond what their type says."""

from collections.abc import Iterator

from consumer.expressions import Expression
from consumer.filters.json_text import parse
from consumer.filters.mistakes import InvalidPatternError, Mistake
from consumer.filters.pattern import Pattern, is_of_keys
from consumer.settings.document import Path
from consumer.settings.model import Processor, Settings


def filter_mistakes(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings a pattern is wrong, and why, for every processor."""
    for index, processor in enumerate(settings.processors):
        for number, text in enumerate(processor.filters or ()):
            for mistake in _mistakes(processor, text):
                yield ("processors", index, "filters", number, *mistake.path), mistake.message


def filter_doubts(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where a pattern of good settings says what is hardly meant, and why."""
    for index, processor in enumerate(settings.processors):
        for number, text in enumerate(processor.filters or ()):
            pattern = Pattern(text)
            for doubt in (*pattern.doubts, *_matches_nothing(settings, processor, text, pattern)):
                yield ("processors", index, "filters", number, *doubt.path), doubt.message


def _mistakes(processor: Processor, text: str) -> Iterator[Mistake]:
    try:
        pattern = Pattern(text)
    except InvalidPatternError as error:
        yield from error.mistakes
        return
    for name, path in pattern.fields if processor.keeps_state else ():
        if not is_of_keys(name):
            message = (
                "the filters of a processor that keeps state may name only `tableName` and `dynamodb.Keys`, "
                "which never change: an item that is filtered out later would stay in the target. "
                "Write a condition on the item as the processor's `when`"
            )
            yield Mistake(path, message)


def _matches_nothing(
    settings: Settings, processor: Processor, text: str, pattern: Pattern
) -> Iterator[Mistake]:
    """Fields of keys that no record of the source has, and another table's name."""
    table, document = settings.source.kinesis.table, parse(text)
    if isinstance(document, dict) and "tableName" in document:
        of_table = Pattern({"tableName": document["tableName"]})
        if not of_table.matches({"tableName": table}):
            message = f"never matches: the processor is told of table {table!r} only"
            yield Mistake(("tableName",), message)
    names = _source_keys(processor)
    if not names:
        return
    there = {f"dynamodb.Keys.{name}.{kind}" for name in names for kind in ("S", "N", "B")}
    for field, path in pattern.fields:
        if is_of_keys(field) and field != "tableName" and field not in there:
            written = " or ".join(f"`dynamodb.Keys.{name}.S`" for name in names)
            yield Mistake(path, f"no record has this field; a key is written {written} (or `N`, `B`)")


def _source_keys(processor: Processor) -> list[str]:
    """The source's key attributes, where the settings tell them all: a row's key is made of them alone."""
    projection = processor.projection
    if projection is None or projection.for_each is not None:
        return []
    paths = [Expression(key).path for key in projection.key.values()]
    names = {path[-1] for path in paths if path is not None and path[0] == "keys"}
    return sorted(names) if len(names) == len(paths) else []
