"""Lanes over a processor that does what a test says, in virtual time, with all that came of the records."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from io import BytesIO
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
        **policy: Any,  # noqa: ANN401 - LanePolicy's own arguments
    ) -> None:
        self.target = Target(process)
        self.letters = Letters()
        self.settled: dict[int, str] = {}
        self.counts: dict[str, int] = defaultdict(int)
        self.trouble = Trouble()
        self._grew = asyncio.Event()
        tools = LaneTools(
            clock=lambda: EPOCH + asyncio.get_running_loop().time(),
            uniform=lambda: 1.0,
            log=open_log(BytesIO()),
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
