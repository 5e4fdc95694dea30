"""What a processor's outcomes alone tell of its store: whether it is away, and what counts as a try."""

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import Outcome

_RUN = 20
"""Different records that the store refuses in a row are no record's fault."""


class StoreSeen:
    """The store of one processor of one tenure, batch by batch."""

    def __init__(self, *, has_runs: bool) -> None:
        self.is_away = False
        self.answers = 0
        """How often it took or refused a change."""
        self._has_runs = has_runs
        self._refused: set[int] = set()

    def hear(self, tried: list[tuple[int, Outcome]], answers: int) -> set[int]:
        """The outcomes of a batch's records that were tried; returns those whose rejection counts.

        `answers`: how many there were when the batch was begun.
        """
        counted: set[int] = set()
        is_unavailable = False
        for number, outcome in tried:
            error = outcome.error
            waits_alone = isinstance(error, Unavailable) and error.of_item
            if outcome.kind in ("applied", "stale") or waits_alone:
                self.answers += 1
                self.is_away = False
                self._refused.clear()
            elif isinstance(error, Rejected) and self._counts(number, error):
                counted.add(number)
            is_unavailable |= isinstance(error, Unavailable) and not waits_alone
        if is_unavailable and self.answers == answers:
            self.is_away = True
        return counted

    def _counts(self, number: int, error: Rejected) -> bool:
        if not error.by_store:
            return True
        self.answers += 1
        if self._has_runs and len(self._refused) < _RUN:
            self._refused.add(number)
        self.is_away = len(self._refused) >= _RUN
        return not self.is_away
