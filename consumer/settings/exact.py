"""The numbers of a pattern exactly as a YAML file has them; no other setting needs more than a float."""

import re
from collections.abc import Callable
from decimal import Decimal

from consumer.filters.mistakes import Json
from consumer.filters.numbers import Number
from consumer.settings.document import Document, Path, Value

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_LENGTH_OF_FILTERS = 3


def in_filters(path: Path) -> bool:
    """Whether a path of the settings leads into a pattern: `processors[0].filters[0].eventName`."""
    return len(path) > _LENGTH_OF_FILTERS and (path[0], path[2]) == ("processors", "filters")


def with_exact_numbers(document: Document, is_in_pattern: Callable[[Path], bool] = in_filters) -> Json:
    """The document's value, the numbers of its patterns as they are written."""
    return _exact(document, document.value, (), is_in_pattern)


def _exact(document: Document, value: Value, path: Path, is_in_pattern: Callable[[Path], bool]) -> Json:
    if isinstance(value, dict):
        return {name: _exact(document, entry, (*path, name), is_in_pattern) for name, entry in value.items()}
    if isinstance(value, list):
        return [_exact(document, entry, (*path, index), is_in_pattern) for index, entry in enumerate(value)]
    text = document.numbers.get(path)
    if text is None or not is_in_pattern(path):
        return value
    return Number(text if _JSON_NUMBER.fullmatch(text) else str(Decimal(text)))
