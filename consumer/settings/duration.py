"""Durations as people write them: `500ms`, `5s`, `2m`, `24h`, `7d`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Seconds of a duration text; a bare number is refused, since nobody can tell its unit.

    Raises:
        ValueError: not a number followed by one of ms, s, m, h, d.
    """
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        message = f"{value!r} is not a duration: write a number and a unit (ms, s, m, h or d), such as 500ms or 5s"
        raise ValueError(message)
    return float(match[1]) * _UNITS[match[2]]


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda seconds: f"{round(seconds * 1000)}ms", return_type=str),
]
