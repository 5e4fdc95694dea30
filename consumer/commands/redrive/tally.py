"""What became of the letters, counted. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_REASONS_SHOWN = 20


@dataclass(slots=True)
class Reason:
    """Letters that stay for one reason; `place` and `message` are the first one's."""

    processor: str
    code: str
    place: str
    message: str
    count: int = 0


@dataclass(slots=True)
class Tally:
    """Letters so far.

    Attributes:
        settled: by outcome.
        reasons: of those that stay, by processor and code.
        passed_over: of other processors than the one that was asked for.
        not_removed: settled, but still in their place.
        left_behind: claim checks' objects that could not be removed after their message.
        hidden: held by somebody else when it began, about.
        cut_short: why it ended before the end, if it did.
    """

    taken: int = 0
    settled: Counter[str] = field(default_factory=Counter)
    reasons: dict[tuple[str, str], Reason] = field(default_factory=dict)
    passed_over: int = 0
    not_removed: int = 0
    left_behind: int = 0
    hidden: int = 0
    cut_short: str | None = None

    def stay(self, processor: str | None, code: str, place: str, message: str) -> None:
        """Count a letter that stays."""
        name = processor or "-"
        self.reasons.setdefault((name, code), Reason(name, code, place, message)).count += 1

    @property
    def stayed(self) -> int:
        """How many stay."""
        return sum(reason.count for reason in self.reasons.values())

    @property
    def untouched(self) -> int:
        """How many were taken and nothing was done with them: somebody said stop before."""
        return self.taken - self.settled.total() - self.stayed - self.passed_over

    @property
    def exit_code(self) -> int:
        """0: all that was asked for is settled and removed."""
        return 1 if self.stayed or self.untouched or self.not_removed or self.cut_short is not None else 0

    def line(self) -> str:
        """All of it in one line."""
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.settled.items()))
        parts = [f"{self.settled.total():,} settled" + (f" ({outcomes})" if outcomes else "")]
        for count, words in (
            (self.stayed, "stay"),
            (self.passed_over, "of other processors"),
            (self.untouched, "untouched"),
        ):
            if count:
                parts.append(f"{count:,} {words}")
        return ", ".join(parts)

    def summary(self) -> Iterator[str]:
        """What a person reads at the end."""
        if self.cut_short is not None:
            yield f"cut short: {self.cut_short}"
        yield self.line() if self.taken else "no letters"
        yield from self.why_they_stay()
        if self.not_removed:
            yield f"{self.not_removed:,} are settled but not removed: the next redrive finds them stale"
        if self.left_behind:
            yield f"{self.left_behind:,} objects of claim checks could not be removed; nothing points to them"
        yield from self.what_is_hidden()

    def what_is_hidden(self) -> Iterator[str]:
        """What a queue did not show."""
        if self.hidden:
            yield (
                f"about {self.hidden:,} more were hidden when it began: another redrive holds them, or one"
                " that was killed did; they come back within five minutes of that: redrive again then"
            )

    def why_they_stay(self) -> Iterator[str]:
        """The reasons, those of the most letters first."""
        for reason in sorted(self.reasons.values(), key=lambda reason: -reason.count)[:_REASONS_SHOWN]:
            yield f"  {reason.processor}  {reason.code}  {reason.count:,}, the first of them: {reason.place}"
            yield f"    {reason.message}"
        if len(self.reasons) > _REASONS_SHOWN:
            yield f"  and {len(self.reasons) - _REASONS_SHOWN} more reasons"
