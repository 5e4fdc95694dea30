"""A compiled pattern, and several of which any may match."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from consumer.filters.grammar import compile_pattern
from consumer.filters.json_text import parse
from consumer.filters.matching import Matcher
from consumer.filters.mistakes import Json, Mistake, Path
from consumer.filters.numbers import Number

Event = dict[str, object]
"""An event as decoded JSON."""

_KEYS = "dynamodb.Keys"
_TABLE = "tableName"
_DECODER = msgspec.json.Decoder(Event, float_hook=Number)


class Pattern:
    """An event pattern. Compiling costs a part of a millisecond, matching microseconds."""

    def __init__(self, pattern: str | dict[str, Json]) -> None:
        """Compile JSON text, or its values.

        Raises:
            InvalidPatternError: AWS would refuse it; all mistakes are told, each with the path to it.
        """
        compiled = compile_pattern(parse(pattern) if isinstance(pattern, str) else pattern)
        self.fields: tuple[tuple[str, Path], ...] = compiled.fields
        """Each field's dotted name, and where in the pattern it stands."""
        self.doubts: tuple[Mistake, ...] = compiled.doubts
        """What AWS allows and hardly anybody means, such as a number where DynamoDB writes text."""
        self._matcher = Matcher(compiled.alternatives)

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether an event, as decoded JSON, matches."""
        return self._matcher.matches(event)


class Filter:
    """Several patterns, any of which may match."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        """Take the patterns."""
        self._patterns: Sequence[Pattern] = tuple(patterns)
        self.is_of_keys = all(is_of_keys(name) for pattern in self._patterns for name, _ in pattern.fields)
        """Whether the item's keys and its table's name are all it looks at."""

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether any pattern matches an event, as decoded JSON.

        Raises:
            ValueError: it is nested too deeply, hundreds of levels; DynamoDB allows 32.
        """
        try:
            return any(pattern.matches(event) for pattern in self._patterns)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def is_of_keys(name: str) -> bool:
    """Whether a field, by its dotted name, is the table's name or in the keys, which never change."""
    return name in {_TABLE, _KEYS} or name.startswith(f"{_KEYS}.")


def decode_event(data: bytes | memoryview) -> Event:
    """An event from its JSON, numbers no integer holds as they are written.

    Raises:
        ValueError: it is not JSON, or no object.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError("nested too deeply") from None
