"""Sums of groups: exact, and within what every store can hold. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from types import MappingProxyType

from consumer.errors import Rejected

Sums = Mapping[str, Mapping[str, Decimal]]
"""By a group's key as `key_text` gives it: its sums by name. None of them is zero."""

MOST_DIGITS = 38
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130
"""Amazon DynamoDB Developer Guide, "Supported data types": 38 digits, from 1E-130 to below 1E126."""

_EXACT = Context(prec=600, traps=[Inexact, InvalidOperation, Overflow])
"""Wide enough for the sum of an expression's values, which have 300 digits at most."""

_ZERO = Decimal()
_NONE: Mapping[str, Decimal] = MappingProxyType({})


def added(parts: Iterable[tuple[str, str, Decimal]]) -> Sums:
    """The sums of (group, name, finite number) parts; those that come to zero are left out.

    Raises:
        Rejected: a sum has more digits than anything could hold.
    """
    sums: dict[str, dict[str, Decimal]] = {}
    for group, name, number in parts:
        of_group = sums.setdefault(group, {})
        try:
            of_group[name] = plus(of_group.get(name, Decimal()), number)
        except Inexact:
            raise _too_many_digits(name, group) from None
    return without_zeros(sums)


def plus(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum; raises decimal.Inexact beyond 600 digits."""
    return _EXACT.add(one, other)


def without_zeros(sums: Sums) -> Sums:
    """The sums that say something."""
    kept = {
        group: {name: number for name, number in named.items() if number} for group, named in sums.items()
    }
    return {group: named for group, named in kept.items() if named}


def difference(new: Sums, held: Sums) -> Sums:
    """What to add so that what was counted as `held` is counted as `new`."""
    changes: dict[str, Mapping[str, Decimal]] = {}
    for group in dict.fromkeys((*new, *held)):
        wanted, had = new.get(group, _NONE), held.get(group, _NONE)
        changed: dict[str, Decimal] = {}
        for name in dict.fromkeys((*wanted, *had)):
            try:
                number = _EXACT.subtract(wanted.get(name, _ZERO), had.get(name, _ZERO))
            except Inexact:
                raise _too_many_digits(name, group) from None
            if number:
                changed[name] = number
        if changed:
            changes[group] = changed
    return changes


def is_in_range(number: Decimal) -> bool:
    """Whether a store can hold it: the same in each of them."""
    _, digits, exponent = number.as_tuple()
    if (
        isinstance(exponent, int)
        and len(digits) <= MOST_DIGITS
        and exponent >= _SMALLEST_EXPONENT
        and len(digits) + exponent <= _LARGEST_EXPONENT
    ):
        return True  # most are, at the first glance
    least = number.normalize(_EXACT)
    return (
        len(least.as_tuple().digits) <= MOST_DIGITS
        and _SMALLEST_EXPONENT <= least.adjusted() <= _LARGEST_EXPONENT
    )


def out_of_range(name: str, group: str, what: str) -> Rejected:
    """The error of a sum no store can hold; `what` it is: a number, or words for it."""
    message = (
        f"the sum {name} of group {group} would be {what}; a sum has at most {MOST_DIGITS} digits, "
        "from 1E-130 to below 1E126"
    )
    return Rejected(message, code="SumOutOfRange")


def _too_many_digits(name: str, group: str) -> Rejected:
    return out_of_range(name, group, f"a number of more than {_EXACT.prec} digits")


def sum_text(number: Decimal) -> str:
    """A number's text, the same for equal numbers."""
    return str(number.normalize(_EXACT)) if number else "0"


def to_texts(sums: Sums) -> dict[str, dict[str, str]]:
    """The sums as a ledger holds them."""
    return {
        group: {name: sum_text(number) for name, number in named.items()} for group, named in sums.items()
    }


def from_texts(texts: Mapping[str, Mapping[str, str]]) -> Sums:
    """What a ledger holds, as sums; raises decimal.InvalidOperation where it is nothing of ours."""
    return {group: {name: Decimal(text) for name, text in named.items()} for group, named in texts.items()}
