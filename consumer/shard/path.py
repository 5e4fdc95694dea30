"""The record path: what arrives is numbered, given to each processor's lanes, settled, moves the frontier."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from types import MappingProxyType

from checkpoint.frontier import Frontier
from consumer.errors import Unavailable, Undecodable
from consumer.filters.pattern import Event, Filter
from consumer.filters.records import event_of, passes
from consumer.metrics import Metrics, observe_counted
from consumer.processors.base import Outcome
from consumer.record import ChangeRecord, Position, StreamRecord
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters
from consumer.shard.envelopes import decode
from consumer.shard.lanes import Lanes, Settle, Ticket
from consumer.shard.retry import Backoff
from consumer.shard.window import Window

_KIND = attrgetter("kind")

DECODING = "decode"
"""Stands for a processor in the figures of records that never reached one."""

_NO_FILTERS: Mapping[str, Filter] = MappingProxyType({})

Decoded = ChangeRecord | Undecodable


def decode_all(records: Iterable[StreamRecord]) -> list[Decoded]:
    """Each record's change, or why it carries none."""
    decoded: list[Decoded] = []
    for record in records:
        try:
            decoded.append(decode(record))
        except Undecodable as error:
            decoded.append(error)
    return decoded


class RecordPath:
    """One shard's way from the daemon to the frontier. Lives in the event loop."""

    def __init__(
        self,
        *,
        table: str,
        processors: Sequence[str],
        lanes: Callable[[str, Settle], Lanes],
        dead_letters: DeadLetters,
        window: Window,
        metrics: Metrics,
        uniform: Callable[[], float],
        filters: Mapping[str, Filter] = _NO_FILTERS,
    ) -> None:
        """Take the source table's name, and a maker of a processor's lanes that is told where to settle.

        `filters`: those of the processors that have any, by name.
        """
        self._table = table
        self.window = window
        self._metrics = metrics
        self._dead_letters = dead_letters
        self._uniform = uniform
        self._filters = filters
        self.frontier: Frontier[StreamRecord] = Frontier(processors)
        self.lanes = [lanes(name, self._settler(name)) for name in processors]
        self.outcomes: dict[str, dict[str, int]] = {name: {} for name in processors}
        self._resume: dict[str, tuple[int, int]] = {}
        self._undecodable: asyncio.Queue[tuple[int, StreamRecord, Undecodable]] = asyncio.Queue()
        self._stopping = False
        self._frozen: dict[str, list[int]] = {}
        """What processors that stand still have settled since."""
        self.blocked: str | None = None
        """Why a record that isn't a change record can't be kept in the dead letter yet."""

    def resume(self, settled: Mapping[str, Position]) -> None:
        """Skip, for each processor, what it had settled in an earlier tenure."""
        self._resume = {name: position.order() for name, position in settled.items()}

    def accept(self, records: list[StreamRecord], decoded: list[Decoded]) -> bool:
        """Take a message's records, in stream order; False: stopping, nothing is taken any more."""
        if self._stopping:
            return False
        first = self.frontier.accept(records)
        self._metrics.records_received.inc(len(records))
        tickets: list[Ticket] = []
        of_other_tables: list[int] = []
        table = self._table
        for ordinal, change in enumerate(decoded, first):
            if isinstance(change, Undecodable):
                self._undecodable.put_nowait((ordinal, records[ordinal - first], change))
            elif change.table == table:
                tickets.append((ordinal, change))
            else:
                of_other_tables.append(ordinal)
        if of_other_tables:
            self._settle_for_all(of_other_tables, "skipped")
        events: dict[int, Event | None] = {}
        for lanes in self.lanes:
            own = self._unsettled(lanes.name, tickets) if lanes.name in self._resume else tickets
            lanes.give(self._passing(lanes.name, own, events) if lanes.name in self._filters else own)
        return True

    def freeze(self, name: str) -> None:
        """Hold a processor's frontier: what it settles from now on is kept for later, and not told."""
        self._frozen.setdefault(name, [])

    def thaw(self, name: str) -> None:
        """Let its frontier go on."""
        self._move_frontier(name, self._frozen.pop(name, []))

    def hurry(self) -> None:
        """An answer is held, so that nothing more comes: no batch fills by waiting."""
        for lanes in self.lanes:
            lanes.hurry()

    async def run(self) -> None:
        """Deliver until stopped."""
        async with asyncio.TaskGroup() as group:
            burying = group.create_task(self._bury_undecodable())
            delivering = [group.create_task(lanes.run()) for lanes in self.lanes]
            await asyncio.wait(delivering)
            burying.cancel()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        for lanes in self.lanes:
            lanes.stop()

    def _unsettled(self, name: str, tickets: list[Ticket]) -> list[Ticket]:
        mark = self._resume[name]
        again = [ordinal for ordinal, change in tickets if change.stream.position.order() <= mark]
        if again:
            self._move_frontier(name, again)
        if len(again) < len(tickets):
            del self._resume[name]
        return tickets[len(again) :]

    def _passing(self, name: str, tickets: list[Ticket], events: dict[int, Event | None]) -> list[Ticket]:
        """What the processor's filter lets through; the rest is settled at once."""
        filter_ = self._filters[name]
        passing = [
            (ordinal, change)
            for ordinal, change in tickets
            if passes(filter_, change, partial(_read, events, ordinal))
        ]
        if len(passing) < len(tickets):
            passed = {ordinal for ordinal, _ in passing}
            filtered = [ordinal for ordinal, _ in tickets if ordinal not in passed]
            self._move_frontier(name, filtered)
            self._count(name, {"filtered": len(filtered)})
        return passing

    def _settler(self, name: str) -> Settle:
        def settle(tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
            self._move_frontier(name, [ordinal for ordinal, _ in tickets])
            self._count(name, Counter(map(_KIND, outcomes)))
            now_ms = time.time() * 1000
            arrivals = Counter([change.stream.arrived_at_ms for _, change in tickets])
            waits = {(now_ms - arrived) / 1000: count for arrived, count in arrivals.items() if arrived}
            observe_counted(self._metrics.arrival_to_settled_seconds.labels(name), waits)

        return settle

    def _settle_for_all(self, ordinals: list[int], outcome: str) -> None:
        for lanes in self.lanes:
            self._move_frontier(lanes.name, ordinals)
            self._count(lanes.name, {outcome: len(ordinals)})

    def _move_frontier(self, name: str, ordinals: list[int]) -> None:
        if name in self._frozen:
            self._frozen[name] += ordinals
            return
        self.frontier.settle(name, ordinals)
        self.window.release(self.frontier.settled)

    def _count(self, name: str, counts: Mapping[str, int]) -> None:
        totals = self.outcomes[name]
        for kind, count in counts.items():
            totals[kind] = totals.get(kind, 0) + count
            self._metrics.records_settled.labels(name, kind).inc(count)

    async def _bury_undecodable(self) -> None:
        """Keep what isn't a change record, whole; it is settled for all processors once it is kept."""
        tries = 0
        while True:
            ordinal, record, error = await self._undecodable.get()
            while not await self._buried(DeadLetter(None, record, error, 1)):
                tries += 1
                await asyncio.sleep(Backoff().delay(tries, self._uniform()))
            tries = 0
            self._settle_for_all([ordinal], "failed")

    async def _buried(self, letter: DeadLetter) -> bool:
        try:
            await self._dead_letters.write(letter)
        except Unavailable as failure:
            self._metrics.dead_letter_failures.labels(DECODING).inc()
            self.blocked = str(failure)
            return False
        self.blocked = None
        self._metrics.dead_letters.labels(DECODING).inc()
        return True


def _read(events: dict[int, Event | None], ordinal: int, change: ChangeRecord) -> Event | None:
    """The whole record, decoded once for all processors."""
    if ordinal not in events:
        events[ordinal] = event_of(change)
    return events[ordinal]
