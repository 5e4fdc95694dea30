"""`--dry-run`: what the letters are, and what would be done with them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.order import Assignment, Order
from consumer.commands.redrive.patience import Patience, StoppedError
from consumer.commands.redrive.reading import Letter, Reader, Stays
from consumer.commands.redrive.source import Found, LetterSource
from consumer.commands.redrive.tally import Tally


@dataclass(slots=True)
class Group:
    """Letters of one processor and error code. `oldest`: Unix microseconds of the oldest change."""

    count: int = 0
    decoded: int = 0
    past_horizon: int = 0
    oldest: int | None = None


@dataclass(slots=True)
class Findings:
    """What was found; the tally has those that would stay as they are."""

    tally: Tally = field(default_factory=Tally)
    groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def summary(self) -> Iterator[str]:
        """What a person reads."""
        if self.tally.cut_short is not None:
            yield f"cut short: {self.tally.cut_short}"
        yield f"{self.tally.taken:,} letters; nothing was changed"
        for (processor, code), group in sorted(self.groups.items()):
            yield f"  {processor}  {code}  {group.count:,}" + _of(group)
        if self.tally.reasons:
            yield f"{self.tally.stayed:,} would stay as they are:"
            yield from self.tally.why_they_stay()
        yield from self.tally.what_is_hidden()


def _of(group: Group) -> str:
    parts = [f"{group.decoded:,} can be read"]
    if group.past_horizon:
        parts.append(f"{group.past_horizon:,} past the horizon: settled by reading the source")
    if group.oldest is not None:
        parts.append(f"the oldest of {datetime.fromtimestamp(group.oldest / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC")
    return ": " + ", ".join(parts)


class Survey:
    """Looks at each letter once and changes nothing."""

    def __init__(
        self,
        source: LetterSource,
        reader: Reader,
        targets: Mapping[str, Target],
        order: Order,
        patience: Patience,
        clock: Callable[[], float],
        show: Callable[[Tally], None],
    ) -> None:
        """`clock`: Unix seconds; `show` is called after each batch."""
        self._source = source
        self._reader = reader
        self._targets = targets
        self._order = order
        self._assignment = Assignment(order, targets)
        self._patience = patience
        self._clock = clock
        self._show = show
        self.findings = Findings()

    async def run(self) -> Findings:
        """Look at all letters, or as many as the order says."""
        tally = self.findings.tally
        try:
            tally.hidden = await self._patience.keep_trying(self._source.hidden)
            while found := await self._next():
                for entry in found:
                    await self._look_at(entry)
                self._show(tally)
        except StoppedError:
            tally.cut_short = "interrupted"
        finally:
            await self._source.close()
        return self.findings

    async def _next(self) -> list[Found]:
        self._patience.see_that_nobody_stopped()
        most = self._order.most(self.findings.tally.taken)
        return await self._patience.keep_trying(lambda: self._source.take(most)) if most else []

    async def _look_at(self, found: Found) -> None:
        tally = self.findings.tally
        tally.taken += 1
        entry = await self._patience.keep_trying(lambda: self._reader.read(found))
        if self._assignment.is_passed_over(entry.kept):
            tally.passed_over += 1
            return
        chosen = entry if isinstance(entry, Stays) else self._assignment.targets_of(entry)
        if isinstance(chosen, Stays):
            tally.stay(
                chosen.kept.processor if chosen.kept else None, chosen.code, found.place, chosen.message
            )
        if entry.kept is not None:
            key = (entry.kept.processor or "-", entry.kept.error_code)
            group = self.findings.groups.setdefault(key, Group())
            group.count += 1
            if isinstance(entry, Letter):
                self._add(group, entry, [] if isinstance(chosen, Stays) else chosen)

    def _add(self, group: Group, letter: Letter, targets: list[Target]) -> None:
        group.decoded += 1
        micros, now = letter.change.micros, self._clock()
        group.oldest = micros if group.oldest is None else min(group.oldest, micros)
        if any(target.is_past_horizon(letter.change, now) for target in targets):
            group.past_horizon += 1
