"""Sequence numbers: 56 digits, strictly increasing over all shards, a child's after its parents'.

The gap: ministack's begin with zeros and have 30 digits; AWS's (API reference, "Record") match
`0|([1-9][0-9]{0,128})`, and code that compares them as text must not get away with it by luck. The first
digit is 1, and not AWS's 4 with the shard's index in the low bits, because the KCL checks numbers of that
form bit by bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

DIGITS = 56


@dataclass(slots=True)
class SequenceNumbers:
    """Makes the numbers. `clock` is seconds of the wall clock; a step back of it does not show."""

    clock: Callable[[], float]
    _milliseconds: int = 0
    _count: int = 0

    def next(self) -> str:
        """Return a number above every one before."""
        self._milliseconds = max(self._milliseconds, int(self.clock() * 1000))
        self._count += 1
        return f"1{self._milliseconds:025d}{self._count:030d}"


def widened(number: str) -> str:
    """Return a client's number at full width, for comparing as text; raises ValueError."""
    if not (number.isascii() and number.isdecimal()):
        raise ValueError(f"{number!r} is not a sequence number")
    return number.zfill(DIGITS)


def before(number: str) -> str:
    """Return the greatest number below one of full width."""
    return widened(str(max(0, int(number) - 1)))
