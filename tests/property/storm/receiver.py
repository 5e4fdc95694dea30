"""A processor of events: hands each record to a receiver, which does what the history says."""

from collections.abc import Callable, Sequence

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, Outcome, failed
from consumer.record import ChangeRecord
from tests.property.storm.history import Course, Fate, FateKind
from tests.property.storm.stores import Step
from tests.property.storm.world import World

_ERRORS: dict[FateKind, Rejected | Unavailable] = {
    "rejected": Rejected("not understood", code="NotUnderstood"),
    "refused": Rejected("refused", code="ValidationException", by_store=True),
    "away": Unavailable("not now", code="Away"),
}


class Receiver:
    """One processor of one tenure."""

    def __init__(self, world: World, course: Course, step: Step, is_stopping: Callable[[], bool]) -> None:
        self._world = world
        self._course = course
        self._step = step
        self._is_stopping = is_stopping
        self._fates = {record + 1: fate for record, fate in course.fates}
        self._left = {number: fate.times for number, fate in self._fates.items()}

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """One record after the other, as long as none makes all of them fail.

        A careful one lets a failed record's item be; a careless one goes on with it, and says so. Once the
        process is to stop, neither begins anything.
        """
        world = self._world
        failing: set[str] = set()
        outcomes: list[Outcome] = []
        await self._step(self._course.name)
        for record in records:
            if self._is_stopping() or (self._course.is_careful and record.item in failing):
                outcomes.append(HELD)
                continue
            outcome = self._outcome(int(record.stream.sequence_number))
            if outcome.error is not None:
                failing.add(record.item)
            outcomes.append(outcome)
            if world.random.random() < 0.2:
                await self._step(self._course.name)
        await self._step(self._course.name)
        return outcomes

    def _outcome(self, number: int) -> Outcome:
        world, name = self._world, self._course.name
        fault = world.fault(name)
        if fault is not None and fault.kind == "refuses":
            return failed(Rejected("another schema", code="ValidationException", by_store=True))
        if fault is not None:
            away = Unavailable("the receiver is away", code="Away")
            if world.random.random() < 0.5:
                raise away
            if world.random.random() < 0.5:
                world.received[name].add(number)
            return failed(away)
        fate = self._next_fate(number)
        if fate is None:
            world.received[name].add(number)
            return APPLIED
        if fate.kind == "raises":
            raise Rejected("one of these is bad", code="HandlerFailed")
        if fate.kind == "breaks":
            raise ZeroDivisionError
        return failed(_ERRORS[fate.kind])

    def _next_fate(self, number: int) -> Fate | None:
        fate = self._fates.get(number)
        if fate is None or self._left[number] == 0 or (fate.is_cured and self._world.is_calm):
            return None
        self._left[number] -= 1
        return fate
