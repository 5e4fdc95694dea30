"""One lane: takes a batch, has it carried out, acts on the outcomes, buries what is beyond help.

next batch --> processor --> outcomes --applied, stale, skipped--> settled
                   |            |--Unavailable--> its item waits, uncounted, without end
                   |            |--Rejected-----> its item waits, counted; at last: dead letter --> settled
                   |            '--held---------> behind its item's first record
                   '--raises for the whole batch--> halved, until a record stands alone
"""

import asyncio
from contextlib import suppress

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import Outcome, Processor, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters
from consumer.shard.lanes.backlog import Backlog, Batch, Verdict
from consumer.shard.lanes.judgement import DONE, FROM_THE_STORE, Failure, judge
from consumer.shard.lanes.outage import Outage
from consumer.shard.lanes.tools import LanePolicy, LaneTools, Settle, Ticket


class Lane:
    """One of a processor's lanes."""

    def __init__(
        self,
        name: str,
        processor: Processor,
        policy: LanePolicy,
        dead_letters: DeadLetters,
        settle: Settle,
        outage: Outage,
        tools: LaneTools,
    ) -> None:
        self.backlog = Backlog(
            batch_size=policy.batch_size,
            coalesces=policy.coalesces,
            batching_window=policy.batching_window,
            stands_alone=policy.stands_alone,
        )
        self._name = name
        self._processor = processor
        self._policy = policy
        self._dead_letters = dead_letters
        self._settle = settle
        self._outage = outage
        self._tools = tools
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._recoveries = 0
        self._failures = 0
        self._ask_at = 0.0
        self._clock = asyncio.get_running_loop().time
        outage.tell(self._news.set)

    def filled(self) -> None:
        """Records were put into `backlog.ready.came`."""
        if self._policy.batching_window:
            self.backlog.note_filling(self._clock())
        self._news.set()

    def hurry(self) -> None:
        """Wait for no batch to fill: nothing more comes until something is settled."""
        self.backlog.hurry()
        self._news.set()

    def stop(self) -> None:
        """Begin nothing more; what is under way ends."""
        self._stopping.set()
        self._news.set()

    async def run(self) -> None:
        """Deliver until stopped; raises what no record and no store can be blamed for."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                self._news.clear()
                now = self._clock()
                self._note_recovery(now)
                for ticket, verdict in self.backlog.take_condemned(now):
                    group.create_task(self._bury(ticket, verdict))
                asks = self._outage.is_on
                if asks and now < self._ask_at:
                    await self._rest(self._ask_at)
                    continue
                batch = self.backlog.next_batch(now, probing=asks)
                if batch is not None and self._policy.maximum_record_age is not None:
                    self._condemn_old(batch)
                if batch is None:
                    await self._rest(self.backlog.due_at())
                elif batch.changes:
                    await self._deliver(batch)

    async def _rest(self, until: float | None) -> None:
        """Wait for news, or until a time."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._news.wait()

    def _note_recovery(self, now: float) -> None:
        if self._recoveries != self._outage.recoveries:
            self._recoveries = self._outage.recoveries
            self._failures = 0
            self.backlog.wake_unavailable(now)

    async def _deliver(self, batch: Batch) -> None:
        changes = batch.changes
        answers = self._outage.answers
        is_alone = False
        try:
            outcomes = await self._processor.process(changes)
        except Unavailable as error:
            outcomes = [failed(error)] * len(changes)
        except Rejected as error:
            if len(changes) > 1:
                self._split(batch, error)
                return
            outcomes, is_alone = [failed(error)], True
        except Exception as error:
            if len(changes) > 1:
                self.backlog.halve(batch, self._clock())
                return
            position = changes[0].stream.position
            self._tools.log.exception(
                "the processor failed on a record", processor=self._name, position=position
            )
            # No verdict on the record: waited out, in sight of all, and never buried.
            unnamed = Unavailable(str(error) or "no message", code=type(error).__name__)
            outcomes, is_alone = [failed(unnamed)], True
        if len(outcomes) != len(changes):  # which is whose, nobody can tell: settling any might lose one
            raise RuntimeError(f"{self._name} answered for {len(outcomes)} of {len(changes)} records")
        kinds = {outcome.kind for outcome in outcomes}
        if kinds <= DONE:
            if kinds & FROM_THE_STORE:
                self._outage.answered()
            self._settle_groups(batch.groups, outcomes)
        else:
            self._act(batch, outcomes, answers, is_alone=is_alone)

    def _split(self, batch: Batch, error: Rejected) -> None:
        """Find out which record it was; where a batch is to be kept together, count it for all."""
        now = self._clock()
        if self._policy.bisects:
            self.backlog.halve(batch, now)
            return
        if not self._outage.rejected(batch.groups[0][0][0], error):
            # So many batches in a row that it is the store: their records wait for it, and ask one by one.
            self._act(batch, [failed(error)] * len(batch.changes), self._outage.answers, is_alone=False)
            return
        batch.attempts += 1
        batch.failures += 1
        if not self._policy.is_last(batch.attempts):
            self._tools.on_retry()
            self.backlog.keep_together(batch, now + self._delay(batch.failures))
            return
        by_item: dict[str, list[Ticket]] = {}
        for ticket in (ticket for group in batch.groups for ticket in group):
            by_item.setdefault(ticket[1].item, []).append(ticket)
            self.backlog.condemn(ticket[0], Verdict(error, batch.attempts))
        for item, tickets in by_item.items():
            self.backlog.hold(tickets)
            self.backlog.wake(item, now)

    def _act(self, batch: Batch, outcomes: list[Outcome], answers: int, *, is_alone: bool) -> None:
        """Settle what is done, hold what is not, and everything of an item behind the first that is not.

        `answers`: how often the store had answered when the batch was begun.
        """
        judgement = judge(batch.groups, outcomes, self._outage)
        self._settle_groups(judgement.done, judgement.outcomes)
        for item, failure in judgement.failures.items():
            self._hold(item, failure, is_alone=is_alone)
        if judgement.unavailable is not None and self._outage.answers == answers:
            self._outage.unavailable(judgement.unavailable)
        self._tools.on_retry()
        if self._outage.is_on:
            self._failures += 1
            self._ask_at = self._clock() + self._delay(self._failures)

    def _hold(self, item: str, failure: Failure, *, is_alone: bool) -> None:
        """Say when the item's first record is tried again, if ever."""
        backlog, now, error = self.backlog, self._clock(), failure.error
        held = backlog.hold(failure.tickets)
        held.alone |= is_alone
        if failure.taken_as_one > 1 and isinstance(error, Rejected):
            backlog.take_apart(failure.tickets[: failure.taken_as_one])
            backlog.wake(item, now)
            return
        held.error = error
        held.failures += 1
        if isinstance(error, Rejected) and not failure.counts:
            held.error = Unavailable(str(error), code=error.code)  # the store's fault: it waits for the store
        elif isinstance(error, Rejected):
            held.attempts += 1
            if self._policy.is_last(held.attempts):
                backlog.condemn(failure.tickets[0][0], Verdict(error, held.attempts))
                backlog.wake(item, now)
                return
        backlog.wake(item, now + self._delay(held.failures))

    def _condemn_old(self, batch: Batch) -> None:
        """Take what is older than the limit out of the batch, and what comes behind it of the same item."""
        limit, now = self._policy.maximum_record_age or 0.0, self._tools.clock()
        back: dict[str, list[Ticket]] = {}
        kept: list[tuple[list[Ticket], ChangeRecord]] = []
        for group, taken in zip(batch.groups, batch.changes, strict=True):
            ordinal, change = group[0]
            age = now - change.micros / 1e6
            if age > limit:
                held = self.backlog.held.get(change.item)
                message = f"the change is {age:.0f} s old; maximum_record_age is {limit:.0f} s"
                verdict = Verdict(Rejected(message, code="RecordTooOld"), held.attempts if held else 0)
                self.backlog.condemn(ordinal, verdict)
                back.setdefault(change.item, []).extend(group)
            elif change.item in back:
                back[change.item].extend(group)
            else:
                kept.append((group, taken))
        for item, tickets in back.items():
            self.backlog.hold(tickets)
            self.backlog.wake(item, self._clock())
        batch.groups = [group for group, _ in kept]
        batch.changes = [change for _, change in kept]

    async def _bury(self, ticket: Ticket, verdict: Verdict) -> None:
        """Write the dead letter, however long it takes; its item waits, and only it."""
        letter = DeadLetter(self._name, ticket[1].stream, verdict.error, verdict.attempts, ticket[1])
        held = self.backlog.held[ticket[1].item]
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._dead_letters.write(letter)
            except Unavailable as error:
                self._tools.on_dead_letter_failure()
                held.error = error
                failures += 1
                await self._pause(self._delay(failures))
                continue
            self._tools.on_dead_letter()
            self._settle_groups([[ticket]], [failed(verdict.error)])
            self._news.set()
            return

    def _settle_groups(self, groups: list[list[Ticket]], outcomes: list[Outcome]) -> None:
        if not groups:
            return
        tickets = [ticket for group in groups for ticket in group]
        if len(tickets) > len(groups):
            outcomes = [outcome for group, outcome in zip(groups, outcomes, strict=True) for _ in group]
        self._settle(tickets, outcomes)
        self.backlog.settled(tickets, self._clock())

    def _delay(self, failures: int) -> float:
        return self._policy.backoff.delay(failures, self._tools.uniform())

    async def _pause(self, seconds: float) -> None:
        """Wait, or until stopped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
