"""When a change was made, by table.

The gap: ministack tells seconds. AWS tells milliseconds or microseconds, and at microseconds two changes of
one item never share a time in practice; here it never goes back, and no two writes of a table share a
microsecond.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class CreationClock:
    """Microseconds since the epoch, strictly increasing by table. `clock` is seconds of the wall clock."""

    clock: Callable[[], float]
    _latest: dict[Hashable, int] = field(default_factory=dict)

    def next(self, table: Hashable) -> int:
        """Return the time of the table's next write."""
        now = max(int(self.clock() * 1_000_000), self._latest.get(table, 0) + 1)
        self._latest[table] = now
        return now


def coarse(microseconds: int, step_seconds: float) -> int:
    """Round a time down to a step, so that many writes tie; a step of 0 leaves it."""
    step = round(step_seconds * 1_000_000)
    return microseconds - microseconds % step if step else microseconds
