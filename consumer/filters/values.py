"""What one field of an event may be: the union of what each matcher of a pattern's list accepts."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from consumer.filters.numbers import Number, comparable, decimal_of
from consumer.filters.texts import TextTest

NumberTest = Callable[[float], bool]

_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")

COMPARE: dict[str, Callable[[float | Decimal, float | Decimal], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The operators of `numeric`."""


def _any_text(_text: str) -> bool:
    return True


def _any_number(_number: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Values:
    """What a field may be.

    `constants`: which of true, false and null; `literals`: numbers no double holds, by their text; `others`:
    every constant and every such number; `absent`: that there is no such field.
    """

    texts: frozenset[str] = frozenset()
    text_tests: tuple[TextTest, ...] = ()
    numbers: frozenset[float] = frozenset()
    number_tests: tuple[NumberTest, ...] = ()
    literals: frozenset[str] = frozenset()
    constants: frozenset[bool | None] = frozenset()
    others: bool = False
    absent: bool = False

    def accept(self, value: object) -> bool:
        """Whether the field may be this; not for lists and objects, which are no values."""
        if isinstance(value, str):
            if value in self.texts or not self.text_tests:
                return value in self.texts
            return any(test(value) for test in self.text_tests)
        if value is None or isinstance(value, bool):
            return self.others or value in self.constants
        if not isinstance(value, (int, float, Decimal, Number)):
            return False
        double = comparable(value)
        if double is None:
            return self.others or str(value) in self.literals
        return double in self.numbers or any(test(double) for test in self.number_tests)


def union(parts: Iterable[Values]) -> Values:
    """What any of them accepts."""
    parts = tuple(parts)
    return Values(
        texts=frozenset().union(*(part.texts for part in parts)),
        text_tests=tuple(test for part in parts for test in part.text_tests),
        numbers=frozenset().union(*(part.numbers for part in parts)),
        number_tests=tuple(test for part in parts for test in part.number_tests),
        literals=frozenset().union(*(part.literals for part in parts)),
        constants=frozenset().union(*(part.constants for part in parts)),
        others=any(part.others for part in parts),
        absent=any(part.absent for part in parts),
    )


PRESENT = Values(text_tests=(_any_text,), number_tests=(_any_number,), others=True)
ABSENT = Values(absent=True)


def one_number(number: Number) -> Values:
    """A number, whichever way it is written."""
    double = comparable(number)
    if double is None:
        return Values(literals=frozenset({number.text}))
    return Values(numbers=frozenset({double}))


def one_text(text: str) -> Values:
    """A text; one that is an IP address stands for every way to write that address."""
    digits = address_digits(text)
    if digits is None:
        return Values(texts=frozenset({text}))
    return between_addresses(digits, digits)


def no_text_of(texts: Iterable[str]) -> Values:
    """Anything present but these texts."""
    excluded = frozenset(texts)
    return Values(text_tests=(lambda text: text not in excluded,), number_tests=(_any_number,), others=True)


def no_number_of(numbers: Iterable[float]) -> Values:
    """Anything present but these numbers."""
    excluded = frozenset(numbers)
    return Values(text_tests=(_any_text,), number_tests=(lambda number: number not in excluded,), others=True)


def no_text_that(tests: Iterable[TextTest]) -> Values:
    """Anything present but the texts for which one of the tests holds."""
    excluded = tuple(tests)
    return Values(
        text_tests=(lambda text: not any(test(text) for test in excluded),),
        number_tests=(_any_number,),
        others=True,
    )


def within(bounds: Iterable[tuple[str, Number]], *, reads_text: bool) -> Values:
    """Numbers for which all comparisons hold; with `reads_text` texts that say such a number exactly, too."""
    conditions = [(COMPARE[sign], bound) for sign, bound in bounds]
    doubles = [(compare, float(bound.text)) for compare, bound in conditions]
    decimals = [(compare, Decimal(bound.text)) for compare, bound in conditions]

    def holds_for_number(number: float) -> bool:
        return all(compare(number, bound) for compare, bound in doubles)

    def holds_for_text(text: str) -> bool:
        number = decimal_of(text)
        return number is not None and all(compare(number, bound) for compare, bound in decimals)

    return Values(number_tests=(holds_for_number,), text_tests=(holds_for_text,) if reads_text else ())


def address_digits(text: str) -> str | None:
    """An IP address as 8 or 32 hexadecimal digits, an IPv4-mapped one as 8; None: the text is no address."""
    try:
        if _IPV4.fullmatch(text):
            return IPv4Address(text).packed.hex()
        if _IPV6.fullmatch(text):
            address = IPv6Address(text)
            return (address.ipv4_mapped or address).packed.hex()
    except AddressValueError:
        pass
    return None


def between_addresses(bottom: str, top: str) -> Values:
    """Texts that are addresses between two, both included, all as hexadecimal digits.

    Event Ruler compares digit by digit and stops once it knows. So between an address of one family and a
    range of the other the common digits decide, as here.
    """
    length = len(bottom)

    def holds(text: str) -> bool:
        digits = address_digits(text)
        if digits is None:
            return False
        if len(digits) >= length:
            return bottom <= digits[:length] <= top
        return bottom[: len(digits)] < digits < top[: len(digits)]

    return Values(text_tests=(holds,))
