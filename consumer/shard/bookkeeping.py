"""What a shard process writes down about itself: its status file, its gauges, its row of positions."""

import asyncio
import os
import time
from collections import deque
from pathlib import Path

from checkpoint.checkpointer import Place
from checkpoint.positions import Positions, ProcessorPosition, ShardPosition
from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.metrics import Metrics
from consumer.processors.base import fingerprint
from consumer.record import Position
from consumer.settings.context import ShardContext
from consumer.shard.lanes import Lanes
from consumer.shard.path import RecordPath
from consumer.shard.standstill import Standstill
from consumer.status import ProcessorStatus, ShardState, ShardStatus, write_status

TICK_SECONDS = 1.0
_CAUGHT_UP_EVERY_SECONDS = 60.0
"""How stale `caught_up_at` may be on an idle stream; retention is a day at least."""

_SILENT_AFTER_SECONDS = 30.0
"""KCL hands over something, if only nothing, far more often: a longer silence is lag too."""

_PREFETCHED = 6
"""A message was fetched at most this many messages before it was delivered: KCL prefetches up to four."""


class Books:
    """What is known of the shard beside its frontier. Times are Unix seconds."""

    def __init__(
        self,
        shard_id: str,
        row: ShardPosition | None,
        *,
        parked: str | None,
        position: Position | None = None,
        replay: bool = False,
    ) -> None:
        """Begin from the row that an earlier tenure left.

        Args:
            shard_id: the shard.
            row: what was written of it.
            parked: why the shard waits for a person.
            position: where KCL begins, which a process that died may not have noted as accepted.
            replay: the lease was set back: what is read again is no longer all settled up to any time.
        """
        self.shard_id = shard_id
        self.parked = parked
        self.started_at = time.time()
        self.caught_up_at = row.caught_up_at if row and not replay else None
        self.marks = dict(row.processors) if row and not replay else {}
        self.checkpoint: Place | None = position or (row.checkpoint if row else None)
        self.checkpointed_at: float | None = None
        self.heard_at: float | None = None
        self.seconds_behind: float | None = None
        self._fetched_after: deque[float] = deque(maxlen=_PREFETCHED)
        self._at_end: tuple[int, float] | None = None

    def heard(self, now: float, millis_behind_latest: int | None, accepted: int) -> None:
        """A message came; `accepted` is how many records came with it and before."""
        self._fetched_after.append(now)
        self.heard_at = now
        if millis_behind_latest is None:
            return
        self.seconds_behind = millis_behind_latest / 1000
        if millis_behind_latest == 0 and len(self._fetched_after) == _PREFETCHED:
            self._at_end = (accepted, self._fetched_after[0])

    def settled(self, count: int) -> None:
        """So many records are behind the frontier: were they all there was, everything up to then is done."""
        if self._at_end is not None and count >= self._at_end[0]:
            self.caught_up_at = self._at_end[1]  # even if earlier: a clock that was ahead must not last
            self._at_end = None

    def checkpointed(self, now: float, place: Place | None) -> None:
        """KCL accepted a checkpoint; None: at the end of the shard."""
        self.checkpointed_at = now
        if place is not None:
            self.checkpoint = place


class Bookkeeper:
    """Writes the books down, about once a second."""

    def __init__(
        self,
        context: ShardContext,
        path: RecordPath,
        books: Books,
        metrics: Metrics,
        positions: Positions,
        run_directory: Path,
        log: Logger,
        standstill: Standstill,
    ) -> None:
        self._context = context
        self._path = path
        self._window = path.window
        self._books = books
        self._metrics = metrics
        self._positions = positions
        self._run_directory = run_directory
        self._log = log
        self._fingerprints = fingerprints_of(context)
        self._standstill = standstill
        self._written: ShardPosition | None = None
        self.state: ShardState = "running"

    async def run(self) -> None:
        """Tick for ever, also while the positions can't be written: who waits for a store is alive."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_for_ever())
            while True:
                self.tick(time.time())
                await asyncio.sleep(TICK_SECONDS)

    async def _write_for_ever(self) -> None:
        while True:
            try:
                await self.write_positions()
            except Unavailable as error:
                self._log.warning("the positions can't be written now", error=str(error))
            await asyncio.sleep(self._context.settings.checkpoint_interval)

    def tick(self, now: float) -> None:
        """Bring the status file and the gauges up to date."""
        books, shard = self._books, self._books.shard_id
        books.settled(self._path.frontier.settled)
        lag = self._lag(now)
        if lag is not None:
            self._metrics.lag_seconds.labels(shard).set(lag)
            retention = self._context.stream_retention_hours * 3600
            self._metrics.retention_used_ratio.labels(shard).set(lag / retention)
        self._metrics.records_in_flight.labels(shard).set(self._window.records)
        self._metrics.checkpoint_age_seconds.labels(shard).set(
            now - (books.checkpointed_at or books.started_at)
        )
        write_status(self._run_directory, self._status(now, lag))

    async def write_positions(self) -> None:
        """Write the row if it says anything new.

        Raises:
            Unavailable: not now.
        """
        row = self._row()
        if row is None:
            return
        # What stands still is told again and again: a process that lost the lease may have put its row back.
        if self._written is not None and not row.stopped and not _is_news(self._written, row):
            return
        await self._positions.write_shard(row)
        self._written = row

    def _row(self) -> ShardPosition | None:
        """A parked shard has settled nothing of its own, and leaves the row as it is.

        But for a cut-over, which would wait for it in vain.
        """
        books = self._books
        if books.parked is not None and not self._standstill.reasons:
            return None
        marks: dict[str, ProcessorPosition] = {}
        for lanes in self._path.lanes:
            mark = self._mark(lanes.name)
            if mark is not None:
                marks[lanes.name] = mark
        places = {name: (mark.sequence_number, mark.sub_sequence_number) for name, mark in marks.items()}
        return ShardPosition(
            shard_id=books.shard_id,
            processors=marks,
            caught_up_at=books.caught_up_at,
            checkpoint=books.checkpoint,
            retention_hours=self._context.stream_retention_hours,
            stopped=self._standstill.told(books.checkpoint, places),
        )

    def _mark(self, name: str) -> ProcessorPosition | None:
        """How far a processor is: where it was before, until this tenure has come by there."""
        last, before = self._path.frontier.last_of(name), self._books.marks.get(name)
        if last is None:
            return before
        mark = ProcessorPosition(last.sequence_number, last.sub_sequence_number, self._fingerprints[name])
        if before is None or before.fingerprint != mark.fingerprint:
            return mark
        return max(before, mark, key=_order)

    def _lag(self, now: float) -> float | None:
        books = self._books
        oldest = self._path.frontier.oldest_unsettled
        if oldest is not None:
            return max(0.0, now - (oldest.arrived_at_ms or now * 1000) / 1000)
        if books.heard_at is not None and now - books.heard_at > _SILENT_AFTER_SECONDS:
            return now - books.heard_at
        return books.seconds_behind

    def _status(self, now: float, lag: float | None) -> ShardStatus:
        books, frontier = self._books, self._path.frontier
        low = frontier.low
        state, message = self._state()
        return ShardStatus(
            shard_id=books.shard_id,
            pid=os.getpid(),
            state=state,
            ticked_at=now,
            started_at=books.started_at,
            records_received=frontier.accepted,
            records_in_flight=self._window.records,
            bytes_in_flight=self._window.size,
            lag_seconds=lag,
            frontier=low.sequence_number if low else None,
            checkpoint=books.checkpoint[0] if books.checkpoint else None,
            checkpointed_at=books.checkpointed_at,
            processors=tuple(self._processor_status(lanes) for lanes in self._path.lanes),
            message=message,
        )

    def _state(self) -> tuple[ShardState, str | None]:
        if self.state == "draining":
            return "draining", None
        if self._books.parked is not None:
            return "parked", self._books.parked
        reason = next(filter(None, map(self._why_it_waits, self._path.lanes)), None) or self._path.blocked
        if reason is None and self._window.is_full:
            reason = "the window is full: the processors are slower than the stream"
        return (self.state, None) if reason is None else ("waiting", reason)

    def _processor_status(self, lanes: Lanes) -> ProcessorStatus:
        outcomes = self._path.outcomes[lanes.name]
        return ProcessorStatus(
            name=lanes.name,
            settled=sum(outcomes.values()),
            outcomes=dict(outcomes),
            items_waiting=lanes.waiting()[0],
            unavailable_since=lanes.trouble.since,
            last_error=lanes.trouble.last_error,
        )

    def _why_it_waits(self, lanes: Lanes) -> str | None:
        still = self._standstill.reasons.get(lanes.name)
        if still is not None:
            return f"{lanes.name} stands still: {still}"
        if lanes.trouble.since is not None:
            return f"{lanes.name} waits: {lanes.trouble.last_error}"
        items, stuck = lanes.waiting()
        return None if stuck is None else f"{lanes.name} holds back {items} of the items: {stuck}"


def fingerprints_of(context: ShardContext) -> dict[str, str]:
    """What each processor's place is kept under.

    One reached by other settings, or on the model before a cut-over, says nothing.
    """
    found: dict[str, str] = {}
    for processor in context.settings.processors:
        generation = context.generation_of(processor.name)
        found[processor.name] = fingerprint(processor) + (f"@{generation}" if generation else "")
    return found


def _order(mark: ProcessorPosition) -> tuple[int, int]:
    return Position(mark.sequence_number, mark.sub_sequence_number).order()


def _is_news(written: ShardPosition, row: ShardPosition) -> bool:
    if (written.processors, written.checkpoint) != (row.processors, row.checkpoint):
        return True
    return abs((row.caught_up_at or 0.0) - (written.caught_up_at or 0.0)) >= _CAUGHT_UP_EVERY_SECONDS
