"""When to try again. Pure: random numbers are handed in, nobody sleeps here."""

from dataclasses import dataclass

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter")."""

    first_seconds: float = _FIRST_SECONDS
    longest_seconds: float = _LONGEST_SECONDS

    def delay(self, tries: int, uniform: float) -> float:
        """Seconds to wait after `tries` failures in a row (1 or more), by a random number in [0, 1)."""
        exponent = min(tries - 1, 30)
        return float(min(self.longest_seconds, self.first_seconds * 2**exponent) * uniform)
