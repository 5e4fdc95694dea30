"""Changes go through one processor until each is settled or rejected."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from consumer.commands.redrive.patience import Patience, StoppedError
from consumer.errors import Rejected, Unavailable
from consumer.filters.pattern import Filter
from consumer.filters.records import passes
from consumer.processors.base import Outcome, Processor, StateProcessor, failed
from consumer.processors.gate import is_past_horizon
from consumer.processors.gated import waves
from consumer.record import ChangeRecord

_FILTERED = Outcome("filtered")

_Call = Callable[[Sequence[ChangeRecord]], Coroutine[None, None, list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A processor of the settings, built. One that keeps state is a StateProcessor."""

    name: str
    processor: Processor
    keeps_state: bool
    filters: Filter | None = None

    def passes(self, change: ChangeRecord) -> bool:
        """Whether its filters let the change through, as on the record path."""
        return self.filters is None or passes(self.filters, change)

    def is_past_horizon(self, change: ChangeRecord, now: float) -> bool:
        """Whether the change has to be settled by the source; `now` in Unix seconds."""
        state = self.state
        return (
            state is not None
            and state.tombstones_last is not None
            and is_past_horizon(change.version, now, state.tombstones_last)
        )

    @property
    def state(self) -> StateProcessor | None:
        """The processor where it keeps state."""
        if not self.keeps_state:
            return None
        if not isinstance(self.processor, StateProcessor):
            raise TypeError(f"processor {self.name!r} keeps state, and can't settle a change by the source")
        return self.processor


class Delivery:
    """The way through one processor."""

    def __init__(self, target: Target, patience: Patience, clock: Callable[[], float]) -> None:
        """`clock`: Unix seconds."""
        self._target = target
        self._patience = patience
        self._clock = clock

    async def deliver(self, changes: Sequence[ChangeRecord]) -> list[Outcome | None]:
        """One outcome per change, never failed by an outage; None: somebody said stop before."""
        outcomes = [None if self._target.passes(change) else _FILTERED for change in changes]
        try:
            for wave in waves(changes):
                await self._settle(changes, [at for at in wave if outcomes[at] is None], outcomes)
        except StoppedError:
            pass
        return outcomes

    async def _settle(
        self, changes: Sequence[ChangeRecord], wave: list[int], outcomes: list[Outcome | None]
    ) -> None:
        tries = 0
        while wave:
            self._patience.see_that_nobody_stopped()
            waiting: list[int] = []
            found = await self._hand_over([changes[index] for index in wave])
            for index, outcome in zip(wave, found, strict=True):
                if isinstance(outcome.error, Unavailable):
                    waiting.append(index)
                    error = outcome.error
                elif outcome.kind != "held":  # held: not tried, since somebody said stop
                    outcomes[index] = outcome
            if waiting:
                tries = tries + 1 if len(waiting) == len(wave) else 1
                await self._patience.pause(tries, error)
            elif tries:
                self._patience.went_on()
            wave = waiting

    async def _hand_over(self, changes: Sequence[ChangeRecord]) -> list[Outcome]:
        """Each by the way that is right for its age now: a wait may have taken it past the horizon."""
        now, state = self._clock(), self._target.state
        if state is None:
            return await self._call(self._target.processor.process, changes)
        outcomes: dict[int, Outcome] = {}
        old = [index for index, change in enumerate(changes) if self._target.is_past_horizon(change, now)]
        young = sorted(set(range(len(changes))) - set(old))
        for indexes, call in ((young, state.process), (old, state.settle_by_source)):
            found = await self._call(call, [changes[index] for index in indexes]) if indexes else []
            outcomes.update(zip(indexes, found, strict=True))
        return [outcomes[index] for index in range(len(changes))]

    async def _call(self, call: _Call, changes: Sequence[ChangeRecord]) -> list[Outcome]:
        """What a processor raises is for all of its batch: then each goes alone."""
        try:
            return await self._patience.unless_stopped(call(changes))
        except StoppedError:
            raise
        except Unavailable as error:
            return [failed(error)] * len(changes)
        except Exception as error:  # noqa: BLE001 - one with no name is a mistake of ours: the letter stays
            if len(changes) == 1:
                return [failed(_rejected(error))]
        return [outcome for change in changes for outcome in await self._call(call, [change])]


def _rejected(error: Exception) -> Rejected:
    name = type(error).__name__
    return error if isinstance(error, Rejected) else Rejected(f"{name}: {error}", code=name)
