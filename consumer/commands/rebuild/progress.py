"""How far a rebuild is: the stream's time it has covered, and how long the rest will take. Pure."""

from collections import deque
from dataclasses import dataclass, field

CAUGHT_UP_SECONDS = 10.0
"""A shard that is this far behind the stream's end has caught up with it, as far as a person can tell."""

_SPEED_SECONDS = 30.0


@dataclass(slots=True)
class Progress:
    """Figures of one process; another machine's shards are its own. All times in seconds.

    Attributes:
        furthest_behind: the slowest shard's lag when it was largest.
    """

    furthest_behind: float = 0.0
    lag: float | None = None
    records: int = 0
    _seen: deque[tuple[float, float, int]] = field(default_factory=deque)

    def note(self, now: float, lag: float | None, records: int) -> None:
        """Take the slowest shard's lag (None: no shard knows its own yet), and the records settled so far."""
        self.lag, self.records = lag, records
        if lag is None:
            return
        self.furthest_behind = max(self.furthest_behind, lag)
        self._seen.append((now, lag, records))
        while now - self._seen[0][0] > _SPEED_SECONDS:
            self._seen.popleft()

    @property
    def share(self) -> float:
        """How much of the stream's time is covered, from 0 to 1."""
        if self.lag is None:
            return 0.0
        if self.is_caught_up:
            return 1.0
        return 1.0 - self.lag / self.furthest_behind

    @property
    def is_caught_up(self) -> bool:
        """Whether it follows the stream's end."""
        return self.lag is not None and self.lag <= CAUGHT_UP_SECONDS

    @property
    def rate(self) -> float:
        """Records a second, of late."""
        took = self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
        return (self._seen[-1][2] - self._seen[0][2]) / took if took > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until the stream's end at the speed of late; None where that can't be told."""
        if self.lag is None or self.is_caught_up or len(self._seen) < 2:  # noqa: PLR2004 - a speed has two ends
            return None
        (began, behind, _), (now, lag, _) = self._seen[0], self._seen[-1]
        speed = (behind - lag) / (now - began) if now > began else 0.0
        return lag / speed if speed > 0 else None

    def line(self) -> str:
        """All of it, for people."""
        if self.lag is None:
            return "waits for a shard"
        parts = [f"{self.records:,} records", f"{self.rate:,.0f}/s"]
        if self.is_caught_up:
            return ", ".join(["has caught up", *parts])
        parts.insert(0, f"{span(self.furthest_behind - self.lag)} of {span(self.furthest_behind)}")
        left = self.seconds_left
        return ", ".join([*parts, "time left not known" if left is None else f"{span(left)} left"])


def span(seconds: float) -> str:
    """In its two largest units: `3 d 4 h`, `12 m 5 s`."""
    whole = round(seconds)
    for unit, size, below, small in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"
