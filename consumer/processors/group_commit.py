"""Joins what lanes bring while a transaction is under way into the next one.

    lane 1  map |write .............|           the first two batches go at once, each by itself
    lane 2  map |write ..............|
    lane 3   map |wait              |write ...........|      what came meanwhile goes together,
    lane 4     map |wait            |write ...........|      once one of them is done

Nothing waits to have company: only for a place, and for that no longer than a moment, lest a transaction that
waits for a lock hold up every lane. A group that fails by one of its batches is taken apart again.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from consumer.errors import Unavailable
from consumer.processors.gated import DesiredT, Sink, Write, Written

AT_ONCE = 2
"""Transactions under way: one in the server's hands while the next is made ready here."""

MOST_WRITES = 400
"""In one transaction: what it costs by itself is spread thin by then.

Not all that eight lanes bring at once: while the server works on the one half, the other is made ready.
"""

PATIENCE_SECONDS = 0.1
"""How long a batch waits for a place before it goes beside those under way."""

APART = 64
"""Batches that go by themselves after a group had to be taken apart: a fault seldom comes alone."""


@dataclass(frozen=True, slots=True)
class _Batch(Generic[DesiredT]):
    """What one lane brought, and where it waits for the answers."""

    writes: Sequence[Write[DesiredT]]
    answers: asyncio.Future[list[Written]]


class GroupCommit(Generic[DesiredT]):
    """A sink that carries out several lanes' batches as one; of a sink whose batch is one transaction."""

    def __init__(self, sink: Sink[DesiredT]) -> None:
        """Take the sink that does the work."""
        self._sink = sink
        self._waiting: deque[_Batch[DesiredT]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._patience: asyncio.TimerHandle | None = None
        self._is_beginning = False
        self._apart = 0

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered; None: for ever."""
        return self._sink.tombstones_last

    async def write(self, writes: Sequence[Write[DesiredT]]) -> list[Written]:
        """Write different items, maybe in one transaction with what other lanes bring.

        Raises:
            Rejected: some write of these is at fault.
            Unavailable: none is.
        """
        if self._apart:
            self._apart -= 1
            return await self._sink.write(writes)
        batch = _Batch(writes, asyncio.get_running_loop().create_future())
        self._waiting.append(batch)
        self._see_to_it()
        return await batch.answers

    def _see_to_it(self) -> None:
        """That what waits goes, now or in a moment."""
        if self._is_beginning:
            return
        if len(self._under_way) < AT_ONCE:
            self._begin()
        elif self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(PATIENCE_SECONDS, self._begin)

    def _begin(self) -> None:
        """Have all that waits by its turn go as one: other lanes may be about to bring more."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._is_beginning = True
        task = asyncio.create_task(self._carry_out())
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._waiting and not task.cancelled():
            self._see_to_it()

    async def _carry_out(self) -> None:
        self._is_beginning = False
        group = self._take()
        if self._waiting:
            self._see_to_it()
        task = asyncio.current_task()

        def end_if_nobody_waits(answers: asyncio.Future[list[Written]]) -> None:
            if answers.cancelled() and task and all(batch.answers.cancelled() for batch in group):
                task.cancel()

        for batch in group:
            batch.answers.add_done_callback(end_if_nobody_waits)
        try:
            if group:
                await self._write_together(group)
        finally:
            for batch in group:
                batch.answers.cancel()  # of those that were answered it makes nothing

    async def _write_together(self, group: Sequence[_Batch[DesiredT]]) -> None:
        try:
            written = await self._sink.write([write for batch in group for write in batch.writes])
        except Exception as error:  # noqa: BLE001 - each lane judges what its batch raises
            if len(group) == 1 or (isinstance(error, Unavailable) and not error.of_item):
                for batch in group:
                    _answer(batch, error)
                return
            self._apart = APART
            await asyncio.gather(*map(self._write_alone, group))
            return
        at = 0
        for batch in group:
            _answer(batch, written[at : at + len(batch.writes)])
            at += len(batch.writes)

    async def _write_alone(self, batch: _Batch[DesiredT]) -> None:
        try:
            _answer(batch, await self._sink.write(batch.writes))
        except Exception as error:  # noqa: BLE001 - as above
            _answer(batch, error)

    def _take(self) -> list[_Batch[DesiredT]]:
        """The batches that go next: of different items, and not too many."""
        group: list[_Batch[DesiredT]] = []
        items: set[str] = set()
        later: list[_Batch[DesiredT]] = []
        while self._waiting:
            batch = self._waiting.popleft()
            if batch.answers.cancelled():
                continue
            own = {write.item for write in batch.writes}
            if group and (len(items) + len(own) > MOST_WRITES or not items.isdisjoint(own)):
                later.append(batch)
                continue
            group.append(batch)
            items |= own
        self._waiting.extend(later)
        return group


def _answer(batch: _Batch[DesiredT], answer: list[Written] | Exception) -> None:
    if batch.answers.done():
        return  # whoever waited for it is gone
    if isinstance(answer, Exception):
        batch.answers.set_exception(answer)
    else:
        batch.answers.set_result(answer)
