"""Key-ordered parallel delivery to one processor.

An item's records go through one lane in stream order, lanes run side by side.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter

from consumer.errors import Rejected, Unavailable
from consumer.log import Logger
from consumer.processors.base import Outcome, Processor, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters
from consumer.shard.retry import Backoff

_ERROR = attrgetter("error")

Ticket = tuple[int, ChangeRecord]
"""A record and its ordinal in the frontier."""

Settle = Callable[[Sequence[Ticket], Sequence[Outcome]], None]
"""Told of tickets that are done for good: applied, stale, skipped, or failed and kept in a dead letter."""


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """How a processor's records are delivered."""

    lanes: int
    batch_size: int
    maximum_retry_attempts: int = 5
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(slots=True)
class Trouble:
    """What a person should know of a processor that can't go on. Times are Unix seconds."""

    since: float | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class LaneTools:
    """What lanes are handed, so that tests bring their own."""

    clock: Callable[[], float]
    uniform: Callable[[], float]
    log: Logger
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    on_retry: Callable[[], None] = lambda: None
    on_dead_letter: Callable[[], None] = lambda: None
    on_dead_letter_failure: Callable[[], None] = lambda: None
    trouble: Trouble = field(default_factory=Trouble)


class Lanes:
    """The lanes of one processor."""

    def __init__(
        self,
        name: str,
        processor: Processor,
        policy: LanePolicy,
        dead_letters: DeadLetters,
        settle: Settle,
        tools: LaneTools,
    ) -> None:
        self.name = name
        self.trouble = tools.trouble
        self._processor = processor
        self._policy = policy
        self._dead_letters = dead_letters
        self._settle = settle
        self._tools = tools
        self._queues: list[deque[Ticket]] = [deque() for _ in range(policy.lanes)]
        self._filled = [asyncio.Event() for _ in range(policy.lanes)]
        self._stopping = asyncio.Event()
        self._store_is_back = asyncio.Event()

    def give(self, tickets: Sequence[Ticket]) -> None:
        """Queue records, each in its item's lane."""
        queues, count = self._queues, len(self._queues)
        for ticket in tickets:
            queues[hash(ticket[1].item) % count].append(ticket)
        for queue, filled in zip(queues, self._filled, strict=True):
            if queue:
                filled.set()

    async def run(self) -> None:
        """Deliver until stopped; raises what no record and no store can be blamed for."""
        async with asyncio.TaskGroup() as group:
            for queue, filled in zip(self._queues, self._filled, strict=True):
                group.create_task(self._lane(queue, filled))

    def stop(self) -> None:
        """Begin no further delivery; the one under way ends, a wait for another try ends at once."""
        self._stopping.set()
        for filled in self._filled:
            filled.set()

    async def _lane(self, queue: deque[Ticket], filled: asyncio.Event) -> None:
        while not self._stopping.is_set():
            if not queue:
                filled.clear()
                await filled.wait()
                continue
            batch = [queue.popleft() for _ in range(min(len(queue), self._policy.batch_size))]
            await self._deliver(batch)

    async def _deliver(self, pending: list[Ticket]) -> None:
        """Bring every record of a batch to its end, however long it takes; returns early only if stopped."""
        attempts: dict[int, int] = {}
        failures = 0
        while pending and not self._stopping.is_set():
            # While the store is away one record asks whether it is back, not a whole batch.
            probing = 1 if failures and self.trouble.since is not None else len(pending)
            remaining = await self._attempt(pending[:probing], attempts)
            if remaining:
                failures += 1
                self._tools.on_retry()
                await self._pause(self._policy.backoff.delay(failures, self._tools.uniform()))
            else:
                failures = 0
            pending = remaining + pending[probing:]

    async def _attempt(self, batch: list[Ticket], attempts: dict[int, int]) -> list[Ticket]:
        """One try; settles what is done and returns what has to be tried again, in order."""
        outcomes = await self._outcomes(batch)
        if len(outcomes) != len(batch):  # which is whose, nobody can tell: settling any might lose one
            raise RuntimeError(f"{self.name} answered for {len(outcomes)} of {len(batch)} records")
        if not any(map(_ERROR, outcomes)):
            self._note(None)
            self._settle(batch, outcomes)
            return []
        done: list[Ticket] = []
        results: list[Outcome] = []
        remaining: list[Ticket] = []
        unavailable: Unavailable | None = None
        for ticket, outcome in zip(batch, outcomes, strict=True):
            error = outcome.error
            if isinstance(error, Rejected):
                tries = attempts[ticket[0]] = attempts.get(ticket[0], 0) + 1
                if tries <= self._policy.maximum_retry_attempts:
                    remaining.append(ticket)
                    continue
                error = await self._bury(ticket, error, tries)
            if error is not None:
                unavailable = error
                remaining.append(ticket)
                continue
            done.append(ticket)
            results.append(outcome)
        self._note(unavailable)
        if done:
            self._settle(done, results)
        return remaining

    async def _outcomes(self, batch: list[Ticket]) -> list[Outcome]:
        """The processor's outcomes; a batch that raises is halved down to the record that causes it.

        What a processor can't name is no verdict on the record: like every error that no list calls Rejected
        it is waited out, in sight of all, and never buried.
        """
        try:
            return await self._processor.process([record for _, record in batch])
        except Unavailable as error:
            return [failed(error)] * len(batch)
        except Exception as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return await self._outcomes(batch[:half]) + await self._outcomes(batch[half:])
            self._tools.log.exception(
                "the processor failed on a record", processor=self.name, position=batch[0][1].stream.position
            )
            return [failed(Unavailable(str(error) or "no message", code=type(error).__name__))]

    async def _bury(self, ticket: Ticket, error: Rejected, tries: int) -> Unavailable | None:
        """Write the dead letter; where it can't be written, why: the record must wait."""
        try:
            await self._dead_letters.write(DeadLetter(self.name, ticket[1].stream, error, tries, ticket[1]))
        except Unavailable as failure:
            self._tools.on_dead_letter_failure()
            return failure
        self._tools.on_dead_letter()
        return None

    def _note(self, error: Unavailable | None) -> None:
        if error is None:
            if self.trouble.since is not None:
                self.trouble.since = None
                self._store_is_back.set()  # the other lanes may have half a minute to sleep
                self._store_is_back = asyncio.Event()
            return
        self.trouble.last_error = f"{error.code}: {error}"
        if self.trouble.since is None:
            self.trouble.since = self._tools.clock()
            self._tools.log.warning("waiting for a store", processor=self.name, error=self.trouble.last_error)

    async def _pause(self, seconds: float) -> None:
        """Wait for the time, for the stop or for another lane to find the store back, whichever is first."""
        waits = [
            asyncio.ensure_future(self._tools.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
            asyncio.ensure_future(self._store_is_back.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
