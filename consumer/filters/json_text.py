"""A pattern's JSON text <-> its values, numbers as they are written.

Strict where a mistake would lose a condition: a key given twice, NaN, a comment, a raw tab.
"""

import json
from typing import cast

from consumer.filters.mistakes import Json, refused
from consumer.filters.numbers import Number


class RepeatedKey(dict[str, Json]):
    """An object that gives a key twice: a reader that keeps the last would lose a condition."""

    key: str


def parse(text: str) -> Json:
    """The values of a JSON text.

    Raises:
        InvalidPatternError: it is not JSON.
    """
    try:
        return cast(
            "Json",
            json.loads(
                text,
                object_pairs_hook=_object,
                parse_int=Number,
                parse_float=Number,
                parse_constant=_not_a_number,
            ),
        )
    except json.JSONDecodeError as error:
        raise refused((), f"not JSON: {error}") from None
    except RecursionError:
        raise refused((), "nested too deeply for a pattern") from None


def write(value: Json) -> str:
    """JSON text from which the same values are read."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{write(below)}" for name, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value)
    return str(value)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeated = RepeatedKey(value)
    names = [name for name, _ in pairs]
    repeated.key = next(name for name in names if names.count(name) > 1)
    return repeated


def _not_a_number(name: str) -> Json:
    raise refused((), f"not JSON: {name} is no number")
