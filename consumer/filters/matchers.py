"""One entry of a pattern's list -> the values it accepts; what AWS refuses is refused with its place.

The grammar is that of Event Ruler's JsonRuleCompiler (Amazon EventBridge User Guide, "Comparison operators").
"""

import re
from collections.abc import Callable
from typing import cast

from consumer.filters.mistakes import Json, Path, refused, shown
from consumer.filters.numbers import Number, comparable
from consumer.filters.texts import (
    TextTest,
    begins,
    begins_ignoring_case,
    ends,
    ends_ignoring_case,
    ignoring_case,
    like,
)
from consumer.filters.values import (
    ABSENT,
    COMPARE,
    PRESENT,
    Values,
    address_digits,
    between_addresses,
    no_number_of,
    no_text_of,
    no_text_that,
    one_number,
    one_text,
    within,
)

_RANGE_LENGTHS = {2, 4}
_MASK = re.compile(r"[-+]?\d{1,9}")


def values_of(entry: Json, path: Path, *, reads_text: bool) -> Values:
    """What an entry of a field's list accepts; `reads_text`: `numeric` reads a text as the number it says.

    Raises:
        InvalidPatternError: AWS refuses the entry.
    """
    if isinstance(entry, dict):
        return _matcher(entry, path, reads_text=reads_text)
    if isinstance(entry, str):
        return one_text(entry)
    if entry is None or isinstance(entry, bool):
        return Values(constants=frozenset({entry}))
    if isinstance(entry, list):
        raise refused(path, "a list in a list: write its entries into the outer one")
    return one_number(Number(str(entry)))


def _matcher(entry: dict[str, Json], path: Path, *, reads_text: bool) -> Values:
    if len(entry) != 1:
        given = "none" if not entry else " and ".join(f"`{name}`" for name in entry)
        raise refused(path, f"a matcher has exactly one key, such as `prefix`; here is {given}")
    ((name, argument),) = entry.items()
    here = (*path, name)
    if name == "numeric":
        return _numeric(argument, here, reads_text=reads_text)
    if name not in _MATCHERS:
        known = ", ".join(f"`{known}`" for known in sorted([*_MATCHERS, "numeric"]))
        raise refused(here, f"there is no matcher `{name}`; there are {known}")
    return _MATCHERS[name](argument, here)


def _exactly(argument: Json, path: Path) -> Values:
    return Values(texts=frozenset({_text(argument, path)}))


def _prefix(argument: Json, path: Path) -> Values:
    if isinstance(argument, dict):
        return Values(text_tests=(begins_ignoring_case(_only_ignoring_case(argument, path)),))
    return Values(text_tests=(begins(_text(argument, path), path),))


def _suffix(argument: Json, path: Path) -> Values:
    if isinstance(argument, dict):
        return Values(text_tests=(ends_ignoring_case(_only_ignoring_case(argument, path)),))
    return Values(text_tests=(ends(_text(argument, path), path),))


def _equals_ignore_case(argument: Json, path: Path) -> Values:
    return Values(text_tests=(ignoring_case(_text(argument, path), path),))


def _wildcard(argument: Json, path: Path) -> Values:
    return Values(text_tests=(like(_text(argument, path), path),))


def _exists(argument: Json, path: Path) -> Values:
    if not isinstance(argument, bool):
        raise refused(path, f"{shown(argument)} is not allowed: write true or false")
    return PRESENT if argument else ABSENT


def _cidr(argument: Json, path: Path) -> Values:
    text = _text(argument, path)
    address, *masks = text.rstrip("/").split("/")
    digits = address_digits(address)
    if digits is None or len(masks) != 1 or _MASK.fullmatch(masks[0]) is None:
        raise refused(path, f"{shown(text)} is not allowed: write an address block such as 10.0.0.0/24")
    bits, mask = 4 * len(digits), int(masks[0])
    if not 0 <= mask < bits:
        raise refused(path, f"/{mask} is not allowed: write a mask from /0 to /{bits - 1}")
    variable = (1 << (bits - mask)) - 1
    bottom = int(digits, 16) & ~variable
    return between_addresses(f"{bottom:0{len(digits)}x}", f"{bottom | variable:0{len(digits)}x}")


def _anything_but(argument: Json, path: Path) -> Values:
    if isinstance(argument, dict):
        return _anything_but_texts_that(argument, path)
    entries = argument if isinstance(argument, list) else [argument]
    texts = [entry for entry in entries if isinstance(entry, str)]
    if texts and len(texts) == len(entries):
        return no_text_of(texts)
    numbers = [entry for entry in entries if _is_number(entry)]
    if numbers and len(numbers) == len(entries):
        return no_number_of(_double(entry, path)[1] for entry in numbers)
    raise refused(
        path, "write a text, a number, a list of only texts or only numbers, or one matcher of texts"
    )


def _anything_but_texts_that(argument: dict[str, Json], path: Path) -> Values:
    name = next(iter(argument), "")
    if len(argument) != 1 or name not in _TEXT_TESTS:
        known = ", ".join(f"`{known}`" for known in _TEXT_TESTS)
        raise refused((*path, name) if name else path, f"inside `anything-but` write exactly one of {known}")
    here = (*path, name)
    entries = argument[name]
    places = (
        [((*here, index), entry) for index, entry in enumerate(entries)]
        if isinstance(entries, list)
        else [(here, entries)]
    )
    if not places:
        raise refused(here, "is empty: name at least one text")
    texts = [(_text(entry, at), at) for at, entry in places]
    for text, at in texts:
        if not text and name in {"prefix", "suffix"}:
            raise refused(at, "an empty text excludes every text: AWS refuses it")
    return no_text_that([_TEXT_TESTS[name](text, at) for text, at in texts])


def _numeric(argument: Json, path: Path, *, reads_text: bool) -> Values:
    """`["=", 5]`, one comparison, or a lower bound and then an upper one."""
    if not isinstance(argument, list) or len(argument) not in _RANGE_LENGTHS:
        raise refused(path, 'write a comparison such as [">=", 100], or a range such as [">", 0, "<=", 5]')
    signs, bounds = argument[0::2], argument[1::2]
    allowed = [tuple(COMPARE)] if len(signs) == 1 else [(">", ">="), ("<", "<=")]
    for index, (sign, choice) in enumerate(zip(signs, allowed, strict=True)):
        if sign not in choice:
            order = "" if len(signs) == 1 else " (the lower bound stands first)"
            one_of = ", ".join(f'"{known}"' for known in choice)
            raise refused((*path, 2 * index), f"{shown(sign)} is not allowed: write one of {one_of}{order}")
    doubles = [_double(bound, (*path, 2 * index + 1)) for index, bound in enumerate(bounds)]
    if len(doubles) > 1 and doubles[0][1] >= doubles[1][1]:
        raise refused(path, "the lower bound is not below the upper one, so that no number is between them")
    conditions = zip(cast("list[str]", signs), [number for number, _ in doubles], strict=True)
    return within(list(conditions), reads_text=reads_text)


def _is_number(entry: Json) -> bool:
    return not (entry is None or isinstance(entry, (bool, str, list, dict)))


def _double(entry: Json, path: Path) -> tuple[Number, float]:
    if not _is_number(entry):
        raise refused(path, f"{shown(entry)} is not allowed: write a number")
    number = Number(str(entry))
    double = comparable(number)
    if double is None:
        raise refused(
            path, f"{shown(number)} has more digits than AWS compares: a 64-bit float can't hold it"
        )
    return number, double


def _text(argument: Json, path: Path) -> str:
    if not isinstance(argument, str):
        raise refused(path, f"{shown(argument)} is not allowed: write a text")
    return argument


def _only_ignoring_case(argument: dict[str, Json], path: Path) -> str:
    if list(argument) != ["equals-ignore-case"]:
        raise refused(path, 'write a text, or { "equals-ignore-case": a text }')
    return _text(argument["equals-ignore-case"], (*path, "equals-ignore-case"))


_MATCHERS: dict[str, Callable[[Json, Path], Values]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "exactly": _exactly,
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
_TEXT_TESTS: dict[str, Callable[[str, Path], TextTest]] = {
    "equals-ignore-case": ignoring_case,
    "prefix": begins,
    "suffix": ends,
    "wildcard": like,
}
