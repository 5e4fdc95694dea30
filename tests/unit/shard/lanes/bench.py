"""Lanes over a processor that does what a test says, in virtual time, with all that came of the records."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from itertools import pairwise
from typing import Any

from consumer.errors import Rejected, Unavailable
from consumer.log import open_log
from consumer.processors.base import APPLIED, Outcome, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import DeadLetters
from consumer.shard.lanes import LanePolicy, Lanes, LaneTools, Ticket, Trouble
from tests.support.changes import put
from tests.unit.shard.rig import Letters

AWAY = Unavailable("the table is away", code="InternalServerError")
BAD = Rejected("not in this table", code="ValidationException")
OF_THE_STORE = Rejected("no such column", code="42703", by_store=True)

EPOCH = 1_000.0
"""Unix seconds at the start of a test."""

PATIENCE_SECONDS = 100_000.0
"""Of virtual time."""

Process = Callable[[Sequence[ChangeRecord]], Awaitable[list[Outcome]]]


class Target:
    """A processor that does what the test's function says."""

    def __init__(self, process: Process) -> None:
        self.batches: list[list[str]] = []
        self.times: list[float] = []
        """When each batch was begun, in seconds of virtual time."""
        self._process = process

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        self.batches.append([name(record) for record in records])
        self.times.append(asyncio.get_running_loop().time())
        return await self._process(records)


class Bench:
    """Lanes over a processor, and what came of the records."""

    def __init__(
        self,
        process: Process,
        *,
        dead_letters: DeadLetters | None = None,
        uniform: float = 1.0,
        **policy: Any,  # noqa: ANN401 - LanePolicy's own arguments
    ) -> None:
        self.target = Target(process)
        self.letters = Letters()
        self.settled: dict[int, str] = {}
        self.counts: dict[str, int] = defaultdict(int)
        self.trouble = Trouble()
        self.log = BytesIO()
        self._grew = asyncio.Event()
        tools = LaneTools(
            clock=lambda: EPOCH + asyncio.get_running_loop().time(),
            uniform=lambda: uniform,
            log=open_log(self.log),
            on_retry=lambda: self._count("retry"),
            on_dead_letter=lambda: self._count("dead letter"),
            on_dead_letter_failure=lambda: self._count("dead letter failure"),
            on_rejected_run=lambda: self._count("rejected run"),
            trouble=self.trouble,
        )
        self.lanes = Lanes(
            "view",
            self.target,
            LanePolicy(**{"lanes": 1, "batch_size": 100, **policy}),
            dead_letters or self.letters,
            self._settle,
            tools,
        )

    async def deliver(self, records: Sequence[ChangeRecord]) -> None:
        """Run the lanes until all is settled."""
        self.lanes.give(list(enumerate(records)))
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(self.lanes.run())
            while len(self.settled) < len(records):
                await self._grew.wait()
                self._grew.clear()
            self.lanes.stop()

    @asynccontextmanager
    async def running(self, records: Sequence[ChangeRecord]) -> AsyncIterator[None]:
        """Run the lanes as long as the body takes; they must end at the very moment they are stopped."""
        self.lanes.give(list(enumerate(records)))
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(self.lanes.run())
            yield
            stopped_at = asyncio.get_running_loop().time()
            self.lanes.stop()
        assert asyncio.get_running_loop().time() == stopped_at

    @property
    def buried(self) -> dict[str, int]:
        """How often each record in the dead letter was tried."""
        return {name(letter.change): letter.attempts for letter in self.letters.kept if letter.change}

    @property
    def batches(self) -> list[str]:
        """What was tried, such as `a1 b1`."""
        return [" ".join(batch) for batch in self.target.batches]

    @property
    def waits(self) -> list[float]:
        """Seconds from the beginning of each try to that of the next."""
        return [later - earlier for earlier, later in pairwise(self.target.times)]

    def _settle(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        for (ordinal, _), outcome in zip(tickets, outcomes, strict=True):
            assert ordinal not in self.settled
            self.settled[ordinal] = outcome.kind
        self._grew.set()

    def _count(self, what: str) -> None:
        self.counts[what] += 1


def name(record: ChangeRecord) -> str:
    return f"{record.item}{record.micros}"


def changes(count: int) -> list[ChangeRecord]:
    """A change each of the items a, b, c, ..."""
    return [put(chr(ord("a") + number), 1) for number in range(count)]


async def apply_all(records: Sequence[ChangeRecord]) -> list[Outcome]:
    return [APPLIED] * len(records)


def raising(*names: str, tries: int = 1_000_000, error: Exception = BAD) -> Process:
    """Raises while one of these is in the batch, so many times; else applies all."""
    left = tries

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal left
        if left and {name(record) for record in records} & set(names):
            left -= 1
            raise error
        return [APPLIED] * len(records)

    return process


def reject(*names: str, tries: int = 1_000_000) -> Process:
    """Rejects the records of these names so many times each, and applies the others."""
    left = dict.fromkeys(names, tries)

    def outcome(record: ChangeRecord) -> Outcome:
        if left.get(name(record), 0) == 0:
            return APPLIED
        left[name(record)] -= 1
        return failed(BAD)

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [outcome(record) for record in records]

    return process
