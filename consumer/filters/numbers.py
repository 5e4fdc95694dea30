"""Numbers: as Event Ruler compares those of JSON, and as DynamoDB writes them, which is text."""

import math
import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

_DOUBLE_HOLDS = 2**53
"""Every integer up to it is a double."""

_DECIMAL_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Number(NamedTuple):
    """A JSON number as it was written; what is not a double is compared by its text."""

    text: str

    def __str__(self) -> str:
        """As it was written."""
        return self.text


Numeric = int | float | Decimal | Number


def comparable(number: Numeric) -> float | None:
    """The double that says exactly this number in its shortest form; None: there is none.

    So 1, 1.0 and 10e-1 are one number; 2**53 + 1, 1e400 and the 20 digits of 0.12345678901234567890 are none.
    """
    if isinstance(number, int) and -_DOUBLE_HOLDS <= number <= _DOUBLE_HOLDS:
        return float(number)
    text = str(number)
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return None
    double = float(text)
    return double if math.isfinite(double) and Decimal(repr(double)) == exact else None


def decimal_of(text: str) -> Decimal | None:
    """The number that a DynamoDB `N` says, all of its 38 digits; None: the text is no number."""
    if _DECIMAL_TEXT.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
