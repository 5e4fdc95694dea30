"""What a text must be like: tests that are made once and then cost a part of a microsecond."""

import re
from collections.abc import Callable

from consumer.filters.mistakes import Path, refused

TextTest = Callable[[str], bool]

_LAST_OF_ITS_PLANE = 0xFFFF
_QUOTE = '"'
"""Event Ruler compares texts with their quotes: a prefix may end, and a suffix begin, with one of them."""


def begins(prefix: str, _path: Path) -> TextTest:
    """Begins with it."""
    if prefix.endswith(_QUOTE):
        return lambda text: f"{text}{_QUOTE}".startswith(prefix)
    return lambda text: text.startswith(prefix)


def ends(suffix: str, _path: Path) -> TextTest:
    """Ends with it."""
    if suffix.startswith(_QUOTE):
        return lambda text: f"{_QUOTE}{text}".endswith(suffix)
    return lambda text: text.endswith(suffix)


def ignoring_case(text: str, _path: Path) -> TextTest:
    """Is it, whatever the case of each character."""
    matches = re.compile(_either_case(text)).fullmatch
    return lambda value: matches(value) is not None


def begins_ignoring_case(text: str) -> TextTest:
    """Begins with it, whatever the case."""
    matches = re.compile(_either_case(text)).match
    return lambda value: matches(f"{value}{_QUOTE}") is not None


def ends_ignoring_case(text: str) -> TextTest:
    """Ends with it, whatever the case."""
    search = re.compile(_either_case(text) + r"\Z").search
    longest = sum(max(map(len, _cases(character))) for character in text)
    return lambda value: search(f"{_QUOTE}{value}", max(0, 1 + len(value) - longest)) is not None


def _either_case(text: str) -> str:
    """Each character in its lower or its upper case, as Java has them, which knows no title case."""
    return "".join(f"(?:{re.escape(low)}|{re.escape(up)})" for low, up in map(_cases, text))


def _cases(character: str) -> tuple[str, str]:
    if ord(character) > _LAST_OF_ITS_PLANE:
        return "??", "??"  # Event Ruler takes the two halves of its UTF-16 apart, and neither is a character
    return character.lower(), character.upper()


def like(text: str, path: Path) -> TextTest:
    """Is like it: `*` stands for any characters or none; a `*` or a backslash that is meant has a backslash.

    Raises:
        InvalidPatternError: two `*` in a row, or a backslash before anything else.
    """
    first, *others = _between_wildcards(text, path)
    if not others:
        return lambda value: value == first
    *middle, last = others
    shortest = len(first) + len(last)

    def holds(value: str) -> bool:
        if len(value) < shortest or not (value.startswith(first) and value.endswith(last)):
            return False
        at, end = len(first), len(value) - len(last)
        for part in middle:
            found = value.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return holds


def _between_wildcards(text: str, path: Path) -> list[str]:
    """What stands before, between and after the wildcards, without its backslashes."""
    parts = [""]
    previous = ""
    rest = iter(text)
    for character in rest:
        if character == "*":
            if previous == "*":
                raise refused(path, "two `*` in a row: one stands for any characters")
            parts.append("")
        elif character == "\\":
            escaped = next(rest, "")
            if escaped not in {"*", "\\"}:
                raise refused(path, "a backslash stands only before `*` or another backslash")
            parts[-1] += escaped
        else:
            parts[-1] += character
        previous = character
    return parts
