"""What is wrong with a pattern, and where in it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from consumer.errors import SettingsError
from consumer.filters.numbers import Number

Json = None | bool | int | float | str | Decimal | Number | list["Json"] | dict[str, "Json"]
Path = tuple[str | int, ...]
"""The keys and list positions that lead to a place in a pattern: `("eventName", 0, "prefix")`."""

_LONGEST_SHOWN = 60


class Mistake(NamedTuple):
    """A sentence saying what is wrong at a place and what is allowed there."""

    path: Path
    message: str

    def __str__(self) -> str:
        """The sentence with its place in front."""
        return f"{place(self.path)}: {self.message}" if self.path else self.message


class InvalidPatternError(SettingsError):
    """AWS would refuse the pattern.

    Attributes:
        mistakes: all that is wrong, in the order of the pattern.
        path: where the first of them is.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        self.path = self.mistakes[0].path
        super().__init__("\n".join(map(str, self.mistakes)))


def refused(path: Path, message: str) -> InvalidPatternError:
    """The error for one mistake."""
    return InvalidPatternError((Mistake(path, message),))


def place(path: Path) -> str:
    """The path as people write it: `eventName[0].prefix`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def shown(value: Json) -> str:
    """A value in a message, cut where it is long."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = ascii(value).replace("'", '"') if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
