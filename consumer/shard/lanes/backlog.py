"""What one lane has to deliver, and when. Pure: the time is handed in, nobody waits here.

    pieces ----+    what is left of batches that failed as a whole; tried first
    held ------+--> the next batch
    ready -----+    what came, in stream order; where changes are taken as one, item by item

An item whose first record can't be settled yet is held: what came after it queues behind it, and the lane's
other items go on. A record of a held item that turns up in a piece or in what is ready joins that queue when
it is met, so an item's records are never begun out of order. Times are the event loop's, in seconds.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from consumer.errors import Rejected
from consumer.record import ChangeRecord
from consumer.shard.lanes.coalescing import StandsAlone, coalesce, leading_run
from consumer.shard.lanes.held import Held, HeldItems
from consumer.shard.lanes.ready import Ready
from consumer.shard.lanes.tools import Ticket


@dataclass(slots=True)
class Batch:
    """What is handed to the processor at once: `changes`, the n-th of them standing for `groups[n]`."""

    groups: list[list[Ticket]]
    changes: list[ChangeRecord]
    attempts: int = 0
    """Tries that counted against the batch as a whole, where it is kept together."""
    failures: int = 0


@dataclass(slots=True)
class _Piece:
    tickets: list[Ticket]
    due: float = 0.0
    attempts: int = 0
    failures: int = 0
    together: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a record is to be buried, and how often it was tried."""

    error: Rejected
    attempts: int


class Backlog:
    """One lane's."""

    def __init__(
        self,
        *,
        batch_size: int,
        coalesces: bool,
        batching_window: float,
        stands_alone: StandsAlone | None = None,
    ) -> None:
        self.ready = Ready(by_item=coalesces)
        self._batch_size = batch_size
        self._coalesces = coalesces
        self._stands_alone = stands_alone
        self._window = batching_window
        self._filling_since: float | None = None
        self._is_hurried = False
        self._pieces: deque[_Piece] = deque()
        self._waiting = HeldItems()
        self.held = self._waiting.items
        self._is_readys_turn = False
        self._apart: set[int] = set()
        self._condemned: dict[int, Verdict] = {}

    def next_batch(self, now: float, *, probing: bool) -> Batch | None:
        """What to deliver now, only one change of it if `probing`; None: nothing is due."""
        limit = 1 if probing else self._batch_size
        while self._pieces:
            if self._pieces[0].due > now:
                return None
            batch = self._batch_of_piece(self._pieces.popleft(), limit)
            if batch is not None:
                return batch
        groups = self._groups_ready(now, limit) if self._is_readys_turn else []
        self._is_readys_turn = False
        if not groups:
            groups = list(self._groups_due(now, limit))
            # Where held items take the whole batch, time and again, what came must not wait for ever.
            self._is_readys_turn = len(groups) >= limit or bool(groups and self._is_alone(groups[0]))
            if not self._is_readys_turn:
                groups += self._groups_ready(now, limit - len(groups))
        return self._batch(groups) if groups else None

    def due_at(self) -> float | None:
        """When there will be something to deliver, if nothing new comes; None: never."""
        if self._pieces:
            return self._pieces[0].due
        held_at = self._waiting.due_at()
        if not self.ready:
            return held_at
        ready_at = (self._filling_since or 0.0) + self._window
        return ready_at if held_at is None else min(held_at, ready_at)

    def halve(self, batch: Batch, now: float) -> None:
        """Deliver the two halves of a batch apart, before anything else."""
        tickets = self._not_tried_before(batch, now)
        middle = len(tickets) // 2
        halves = tickets[middle:], tickets[:middle]
        self._pieces.extendleft(_Piece(half) for half in halves if half)

    def keep_together(self, batch: Batch, due: float) -> None:
        """Deliver the batch again as it is, before anything else."""
        tickets = self._not_tried_before(batch, due)
        if tickets:
            self._pieces.appendleft(_Piece(tickets, due, batch.attempts, batch.failures, together=True))

    def hold(self, tickets: Sequence[Ticket]) -> Held:
        """Put records of one item back, in front of those that came after them; they wait until `wake`."""
        return self._waiting.hold(tickets)

    def wake(self, item: str, due: float) -> None:
        """Go on with a held item at that time."""
        self._waiting.wake(item, due)

    def take_apart(self, tickets: Sequence[Ticket]) -> None:
        """From now on each of these records is tried by itself."""
        self._apart.update(ordinal for ordinal, _ in tickets)

    def condemn(self, ordinal: int, verdict: Verdict) -> None:
        """The record is not tried any more: only to be buried."""
        self._condemned[ordinal] = verdict

    def wake_unavailable(self, now: float) -> None:
        """The store is back: nobody who waited for it has to wait longer."""
        self._waiting.wake_unavailable(now)
        for piece in self._pieces:
            piece.due = min(piece.due, now)

    def settled(self, tickets: Sequence[Ticket], now: float) -> None:
        """These are done for good: whoever waited behind them goes on."""
        if self._apart:
            self._apart.difference_update([ordinal for ordinal, _ in tickets])
        self._waiting.settled(tickets, now)

    def take_condemned(self, now: float) -> list[tuple[Ticket, Verdict]]:
        """The records to be buried now; each is out of the queue until it is settled."""
        if not self._condemned:
            return []
        due = [held for held in self.held.values() if held.due <= now and held.first in self._condemned]
        tickets = [ticket for held in due for ticket in held.take(1)]
        return [(ticket, self._condemned.pop(ticket[0])) for ticket in tickets]

    def note_filling(self, now: float) -> None:
        """Something came: the batching window begins, if it has not."""
        if self._filling_since is None:
            self._filling_since = now

    def hurry(self) -> None:
        """Let what is ready wait for no fuller batch."""
        self._is_hurried = bool(self.ready)

    def _not_tried_before(self, batch: Batch, due: float) -> list[Ticket]:
        """The batch without the items that were held already: those are tried by themselves from now on."""
        fresh: list[Ticket] = []
        again: dict[str, list[Ticket]] = {}
        for ticket in (ticket for group in batch.groups for ticket in group):
            item = ticket[1].item
            (again.setdefault(item, []) if item in self.held else fresh).append(ticket)
        for item, tickets in again.items():
            self.hold(tickets).alone = True
            self.wake(item, due)
        return fresh

    def _batch_of_piece(self, piece: _Piece, limit: int) -> Batch | None:
        tickets = self._waiting.free(piece.tickets)
        if piece.together:
            return self._batch([[ticket] for ticket in tickets], piece) if tickets else None
        if len(tickets) > limit:
            self._pieces.appendleft(_Piece(tickets[limit:]))
        return self._batch(self._grouped(tickets[:limit])) if tickets else None

    def _groups_due(self, now: float, limit: int) -> Iterator[list[Ticket]]:
        """The first records of the held items whose time has come; one that must be alone is."""
        taken = 0
        while taken < limit and (held := self._waiting.next_due(now)) is not None:
            if held.alone and taken:
                return
            group = self._first_of(held, self._batch_size if self._coalesces else limit - taken)
            if self._coalesces or len(group) == 1:
                yield group
            else:
                yield from ([ticket] for ticket in group)
            taken += len(group)
            if held.alone:
                return

    def _first_of(self, held: Held, most: int) -> list[Ticket]:
        """What of a held item is tried next: its first record only, once that was found at fault."""
        is_suspect = held.alone or held.attempts or (held.failures and not self._coalesces)
        size = 1 if is_suspect else self._run_of(list(islice(held.tickets, most)))
        return held.take(size)

    def _is_alone(self, group: list[Ticket]) -> bool:
        held = self.held.get(group[0][1].item)
        return held is not None and held.alone

    def _groups_ready(self, now: float, limit: int) -> list[list[Ticket]]:
        ready = self.ready
        if not ready:
            return []
        ends = (self._filling_since or 0.0) + self._window
        if len(ready) < limit and now < ends and not self._is_hurried:
            return []
        lines = ready.take(limit, self._batch_size, self._waiting)
        self._filling_since = now if ready else None
        self._is_hurried = self._is_hurried and bool(ready)
        return self._groups_of(lines)

    def _grouped(self, tickets: list[Ticket]) -> list[list[Ticket]]:
        if not self._coalesces:
            return [[ticket] for ticket in tickets]
        by_item: dict[str, list[Ticket]] = {}
        for ticket in tickets:
            by_item.setdefault(ticket[1].item, []).append(ticket)
        return self._groups_of(list(by_item.values()))

    def _groups_of(self, lines: list[list[Ticket]]) -> list[list[Ticket]]:
        """A group for each change to be delivered; what can't be taken with its item's first waits."""
        groups: list[list[Ticket]] = []
        for line in lines:
            size = 1 if len(line) == 1 else self._run_of(line)
            if size < len(line):
                self.hold(line[size:])
            groups.append(line[:size] if size < len(line) else line)
        return groups

    def _run_of(self, tickets: Sequence[Ticket]) -> int:
        """How many of an item's records can be delivered at once: taken as one, or one after the other."""
        marked = self._apart or self._condemned
        changes: list[ChangeRecord] = []
        for ordinal, change in tickets:
            if marked and changes and (ordinal in self._apart or ordinal in self._condemned):
                break
            changes.append(change)
            if marked and ordinal in self._apart:
                break
        return leading_run(changes, self._stands_alone) if self._coalesces else len(changes)

    def _batch(self, groups: list[list[Ticket]], piece: _Piece | None = None) -> Batch:
        changes = [
            group[0][1] if len(group) == 1 else coalesce([change for _, change in group]) for group in groups
        ]
        if piece is None:
            return Batch(groups, changes)
        return Batch(groups, changes, piece.attempts, piece.failures)
