"""Sums above the number they should not be above: each is counted, and said seldom enough to be read."""

from collections.abc import Callable

from consumer.log import Logger
from consumer.processors.base import Above

_QUIET_SECONDS = 60.0
"""For which a row's sum is not said again."""

_MOST_ROWS = 1_000
"""Said within that time; more of them are only counted."""


class SumsAbove:
    """One processor's, in one shard process."""

    def __init__(
        self, processor: str, count: Callable[[str], None], log: Logger, clock: Callable[[], float]
    ) -> None:
        """Take what it tells.

        Args:
            processor: its name.
            count: counts a sum, by its name.
            log: where it is said.
            clock: seconds.
        """
        self._processor = processor
        self._count = count
        self._log = log
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def tell(self, above: Above) -> None:
        """A sum was written, and is above."""
        self._count(above.name)
        now, row = self._clock(), (above.group, above.name)
        if now - self._said.get(row, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        if len(self._said) >= _MOST_ROWS:
            self._said = {row: at for row, at in self._said.items() if now - at < _QUIET_SECONDS}
            if len(self._said) >= _MOST_ROWS:
                return
        self._said[row] = now
        self._log.warning(
            "a sum is above its number",
            processor=self._processor,
            group=above.group,
            sum=f"{above.name} = {above.value}",
            number=f"{above.limit} = {above.limit_value}",
        )
