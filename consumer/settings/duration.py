"""Durations as people write them: `500ms`, `5s`, `2m`, `24h`, `7d`."""

import re
from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

DURATION_PATTERN = r"^\d+(\.\d+)?(ms|s|m|h|d)$"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Seconds of a duration text; a bare number is refused, since nobody can tell its unit.

    Raises:
        ValueError: not a number followed by one of ms, s, m, h, d.
    """
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        message = (
            f"{value!r} is not a duration: write a number and a unit (ms, s, m, h or d), such as 500ms or 5s"
        )
        raise ValueError(message)
    return float(match[1]) * _UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Write seconds as a duration, to the millisecond, in minutes or seconds where that needs no fraction."""
    milliseconds = round(seconds * 1000)
    for unit in ("m", "s"):
        size = round(_UNITS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


@dataclass(frozen=True, slots=True)
class Between:
    """Makes `Annotated[float, Between("1s", "5m")]` seconds that are written as a duration within bounds."""

    shortest: str
    longest: str

    def parse(self, value: object) -> float:
        """Seconds of the text; raises ValueError if it is no duration or out of bounds."""
        seconds = parse_duration(value)
        if not parse_duration(self.shortest) <= seconds <= parse_duration(self.longest):
            raise ValueError(f"{value} is out of range: from {self.shortest} to {self.longest} is allowed")
        return seconds

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": DURATION_PATTERN,
            "description": f"a duration from {self.shortest} to {self.longest}",
        }
