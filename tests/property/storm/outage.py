"""What a processor's outcomes alone tell of its store: whether it is away, and what counts as a try."""

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import Outcome

_RUN = 20
"""Different records that the store refuses in a row are no record's fault."""


class StoreSeen:
    """The store of one processor of one tenure, batch by batch."""

    def __init__(self, *, has_runs: bool) -> None:
        self.is_away = False
        self._has_runs = has_runs
        self._refused: set[int] = set()

    def hear(self, tried: list[tuple[int, Outcome]]) -> set[int]:
        """The outcomes of a batch's records that were tried; returns those whose rejection counts."""
        counted: set[int] = set()
        has_answered = is_unavailable = False
        for number, outcome in tried:
            error = outcome.error
            if outcome.kind in ("applied", "stale"):
                has_answered, self.is_away = True, False
                self._refused.clear()
            elif isinstance(error, Rejected) and self._counts(number, error):
                counted.add(number)
            is_unavailable |= isinstance(error, Unavailable)
            has_answered |= isinstance(error, Rejected) and error.by_store
        if is_unavailable and not has_answered:
            self.is_away = True
        return counted

    def _counts(self, number: int, error: Rejected) -> bool:
        if not error.by_store:
            return True
        if self._has_runs and len(self._refused) < _RUN:
            self._refused.add(number)
        self.is_away = len(self._refused) >= _RUN
        return not self.is_away
