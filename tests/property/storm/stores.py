"""The ways from a shard process to its stores: slow, and for a while with the history's faults.

    call --> half the time --> away, refused, or the effect --> half the time --> no answer, or the answer

A process that is killed goes no step further, wherever it is.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from consumer.errors import Rejected, Unavailable
from consumer.shard.deadletter.letter import DeadLetter
from tests.property.storm.history import BAD
from tests.property.storm.witness import Witness
from tests.property.storm.world import World
from tests.support.in_memory_dynamodb import Answer

_BAD = f'{{"S":"{BAD}"}}'.encode()

Step = Callable[[str], Awaitable[None]]
"""Half of a call to a store, by the store's name; returns only where the process lives."""

After = Callable[[], Awaitable[None]]


async def _nobody_looks() -> None:
    pass


class Connection:
    """The tables, as one client sees them; `where` names its faults, `after` looks at each effect."""

    def __init__(self, world: World, where: str, step: Step, after: After = _nobody_looks) -> None:
        self._world = world
        self._where = where
        self._step = step
        self._after = after

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        """Carry out GetItem or PutItem."""
        world, where = self._world, self._where
        await self._step(where)
        fault = world.fault(where)
        is_lost_later = fault is not None and world.random.random() < 0.5
        if fault is not None and fault.kind == "refuses":
            raise Rejected("the table takes another schema", code="ValidationException", by_store=True)
        if fault is not None and not is_lost_later:
            raise Unavailable("the table is away", code="InternalServerError")
        if isinstance(request, bytes) and _BAD in request:
            raise Rejected("the table does not take this", code="ValidationException", by_store=True)
        world.write_what_is_due()
        if not isinstance(request, bytes):
            request = orjson.dumps(request)
        answer = await world.dynamodb.call(operation, request, expect=expect)
        world.note(where, operation, answer.error)
        await self._after()
        await self._step(where)
        if is_lost_later:
            raise Unavailable("no answer came", code="TimeoutError")
        return answer


class Letters:
    """Where a shard process keeps its dead letters; a processor's are watched."""

    def __init__(self, world: World, witness: Witness | None, step: Step) -> None:
        self._world = world
        self._witness = witness
        self._step = step

    async def write(self, letter: DeadLetter) -> None:
        """Keep a letter; where no answer comes, it is kept all the same."""
        world, witness = self._world, self._witness
        if witness is not None:
            witness.check_letter(letter)
        await self._step("letters")
        fault = world.fault("letters")
        if fault is not None and world.random.random() < 0.5:
            raise Unavailable("the volume is full", code="DeadLetterFile")
        world.keep(letter)
        world.note("letters", "keeps", letter.processor, letter.record.sequence_number, letter.error.code)
        await self._step("letters")
        if fault is not None:
            raise Unavailable("no answer came", code="TimeoutError")
        if witness is not None:
            witness.kept_letter(letter)
