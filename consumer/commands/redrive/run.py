"""Redriving: each letter is read, goes through its processors, and is removed once it is settled.

    take -> read -> each processor it is for -> settled by all ----> remove -> remove the claim check's object
              |          | Unavailable: again, without end            (a crash here: `stale` next time)
              |          | Rejected
              +----------+--> stays as it is, and is told

An interrupt lets the calls under way end, removes what is settled, and leaves the rest as it is.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from consumer.commands.redrive.deliver import Delivery, Target
from consumer.commands.redrive.order import Assignment, Order
from consumer.commands.redrive.patience import Patience, StoppedError
from consumer.commands.redrive.reading import ClaimChecks, Letter, Reader, Stays
from consumer.commands.redrive.source import Found, LetterSource
from consumer.commands.redrive.tally import Tally
from consumer.errors import SettingsError, Unavailable
from consumer.processors.base import Outcome
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import ClaimCheck

SETTLED = ("applied", "stale", "skipped", "filtered")
"""The outcomes that settle a letter; of several processors' it is told by the first here."""

_LONGEST_KEY = 60
"""Characters of a key that are shown."""


class Redrive:
    """One run."""

    def __init__(
        self,
        source: LetterSource,
        claim_checks: ClaimChecks,
        reader: Reader,
        targets: Mapping[str, Target],
        order: Order,
        patience: Patience,
        clock: Callable[[], float],
        show: Callable[[Tally], None],
    ) -> None:
        """`clock`: Unix seconds; `show` is called after each batch."""
        self._source = source
        self._claim_checks = claim_checks
        self._reader = reader
        self._deliveries = {name: Delivery(target, patience, clock) for name, target in targets.items()}
        self._assignment = Assignment(order, targets)
        self._order = order
        self._patience = patience
        self._show = show
        self._redriven: set[str] = set()
        """Ids of those whose claim check is redeemed."""
        self.tally = Tally()

    async def run(self) -> Tally:
        """Put all letters through, or as many as the order says; what stops it stands in the tally."""
        try:
            self.tally.hidden = await self._patience.keep_trying(self._source.hidden)
            while found := await self._next():
                self.tally.taken += len(found)
                await self._settle(found)
                self._show(self.tally)
            await self._patience.keep_trying(self._source.close)
        except StoppedError:
            self.tally.cut_short = "interrupted"
            await self._close()
        except SettingsError as error:
            self.tally.cut_short = str(error)
            await self._close()
        return self.tally

    async def _close(self) -> None:
        try:
            await self._source.close()
        except (Unavailable, SettingsError) as error:
            self.tally.cut_short = f"{self.tally.cut_short}; at the end: {error}"

    async def _next(self) -> list[Found]:
        self._patience.see_that_nobody_stopped()
        most = self._order.most(self.tally.taken)
        return await self._patience.keep_trying(lambda: self._source.take(most)) if most else []

    async def _settle(self, found: Sequence[Found]) -> None:
        letters: list[Letter] = []
        targets: list[list[Target]] = []
        for entry in await asyncio.gather(*(self._read(each) for each in found)):
            if self._assignment.is_passed_over(entry.kept):
                self.tally.passed_over += 1
                continue
            chosen = entry if isinstance(entry, Stays) else self._assignment.targets_of(entry)
            if isinstance(chosen, Stays):
                await self._stay(chosen)
            elif isinstance(entry, Letter):
                letters.append(entry)
                targets.append(chosen)
        settled: list[tuple[Letter, str]] = []
        for letter, outcomes in zip(letters, await self._deliver(letters, targets), strict=True):
            kind = self._judge(letter, outcomes)
            if kind is not None:
                settled.append((letter, kind))
        await self._remove(settled)

    async def _read(self, found: Found) -> Letter | Stays:
        return await self._patience.keep_trying(lambda: self._reader.read(found))

    async def _stay(self, stays: Stays) -> None:
        kept = stays.kept
        if stays.code == "ClaimCheckMissing" and kept is not None and kept.letter_id in self._redriven:
            # A message that was sent twice: the first one has settled it, and took the object along.
            await self._remove_found([(stays.found, "stale")])
            return
        self.tally.stay(kept.processor if kept else None, stays.code, stays.found.place, stays.message)

    async def _deliver(
        self, letters: Sequence[Letter], targets: Sequence[Sequence[Target]]
    ) -> list[dict[str, Outcome | None]]:
        """For each letter what each of its processors says; a processor's letters go together."""
        outcomes: list[dict[str, Outcome | None]] = [{} for _ in letters]
        for name, delivery in self._deliveries.items():
            places = [
                at for at, chosen in enumerate(targets) if any(target.name == name for target in chosen)
            ]
            if places:
                found = await delivery.deliver([letters[at].change for at in places])
                for at, outcome in zip(places, found, strict=True):
                    outcomes[at][name] = outcome
        return outcomes

    def _judge(self, letter: Letter, outcomes: Mapping[str, Outcome | None]) -> str | None:
        """The outcome that settles a letter; None: it stays, or was not got to."""
        place = f"{letter.found.place} ({_item(letter.change)})"
        for name, outcome in outcomes.items():
            if outcome is not None and outcome.kind not in SETTLED:
                error = outcome.error
                code, message = (error.code, str(error)) if error else (outcome.kind, "it was not tried")
                self.tally.stay(name, code, place, message)
                return None
        if None in outcomes.values():
            return None
        if letter.kept.processor is None and not self._assignment.has_all(outcomes):
            message = "settled by the processor asked for; redrive it without --processor for the others"
            self.tally.stay(None, "OtherProcessors", place, message)
            return None
        kinds = {outcome.kind for outcome in outcomes.values() if outcome is not None}
        return min(kinds, key=SETTLED.index, default="skipped")

    async def _remove(self, settled: Sequence[tuple[Letter, str]]) -> None:
        anew = await self._remove_found([(letter.found, kind) for letter, kind in settled])
        gone = [letter for letter, _ in settled if letter.found not in anew]
        self._redriven.update(letter.kept.letter_id for letter in gone if letter.claim_check is not None)
        await asyncio.gather(*(self._forget(letter.claim_check) for letter in gone))

    async def _remove_found(self, settled: Sequence[tuple[Found, str]]) -> list[Found]:
        """Remove what is settled, and count it by its outcome; gives what stays after all."""
        if not settled:
            return []
        try:
            anew = await self._patience.keep_trying(
                lambda: self._source.remove([found for found, _ in settled])
            )
        except (StoppedError, SettingsError):
            self.tally.settled.update(kind for _, kind in settled)
            self.tally.not_removed += len(settled)
            raise
        self.tally.settled.update(kind for found, kind in settled if found not in anew)
        for found in anew:
            message = "it was written or received again meanwhile: the next redrive takes what is there then"
            self.tally.stay(None, "Changed", found.place, message)
        return anew

    async def _forget(self, check: ClaimCheck | None) -> None:
        """The message that points to it is gone: an object that stays does no harm."""
        if check is not None:
            try:
                await self._claim_checks.remove(check)
            except (Unavailable, SettingsError):
                self.tally.left_behind += 1


def _item(change: ChangeRecord) -> str:
    """The item as a person knows it: `orderId A-7`."""
    values = ((name, content) for name, value in change.keys.items() for content in value.values())
    return ", ".join(f"{name} {content[:_LONGEST_KEY]}" for name, content in values)
