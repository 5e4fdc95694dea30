"""The items of a lane that wait: for another try, for a burial, or for an earlier record of theirs. Pure."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from consumer.errors import Rejected, Unavailable
from consumer.shard.lanes.tools import Ticket

_NEVER = float("inf")


@dataclass(slots=True)
class Held:
    """An item that waits.

    Attributes:
        tickets: its records, the one that is waited for first.
        due: when to go on with it.
        attempts: tries that counted against the first record.
        failures: tries in a row that failed for any reason, for the back-off.
        error: why the first record waits.
        alone: the first record is to be tried by itself: it failed without telling which of a batch it was.
        was_woken: it was told once that the store is back, and goes by its own back-off from then on.
    """

    tickets: deque[Ticket] = field(default_factory=deque)
    due: float = _NEVER
    attempts: int = 0
    failures: int = 0
    error: Rejected | Unavailable | None = None
    alone: bool = False
    was_woken: bool = False

    @property
    def first(self) -> int:
        """The ordinal of the first record; there is one wherever the item has a time."""
        return self.tickets[0][0]

    def take(self, size: int) -> list[Ticket]:
        """The first records, out of the queue; the rest waits for them to be settled or put back."""
        self.due = _NEVER
        return [self.tickets.popleft() for _ in range(size)]


class HeldItems:
    """One lane's. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self.items: dict[str, Held] = {}
        self._due: list[tuple[float, int, str]] = []
        self._number = count()

    def hold(self, tickets: Sequence[Ticket]) -> Held:
        """Put records of one item back, in front of those that came after them; they wait until `wake`."""
        held = self.items.setdefault(tickets[0][1].item, Held())
        held.tickets.extendleft(reversed(tickets))
        held.due = _NEVER
        return held

    def wake(self, item: str, due: float) -> None:
        """Go on with an item at that time."""
        self.items[item].due = due
        heapq.heappush(self._due, (due, next(self._number), item))

    def wake_unavailable(self, now: float) -> None:
        """The store is back: nobody who waited for it has to wait longer."""
        for item, held in self.items.items():
            # What failed by itself, for a reason nobody knows, goes by its own back-off; so does what failed
            # again since it was woken, lest a store that comes and goes is asked without end.
            if held.alone or held.was_woken or not isinstance(held.error, Unavailable):
                continue
            if now < held.due < _NEVER:
                held.was_woken = True
                held.failures = 0
                self.wake(item, now)

    def settled(self, tickets: Sequence[Ticket], now: float) -> None:
        """These are done for good: what waited behind them goes on, with a clean slate."""
        if not self.items:
            return
        for item in {ticket[1].item for ticket in tickets}:
            held = self.items.get(item)
            if held is None:
                continue
            if held.tickets:
                self.items[item] = Held(held.tickets)
                self.wake(item, now)
            else:
                del self.items[item]

    def free(self, tickets: list[Ticket]) -> list[Ticket]:
        """The tickets whose items don't wait; the others queue behind their item's."""
        if not self.items:
            return tickets
        free: list[Ticket] = []
        for ticket in tickets:
            held = self.items.get(ticket[1].item)
            (free if held is None else held.tickets).append(ticket)
        return free

    def next_due(self, now: float) -> Held | None:
        """The item whose time came first; the same again until it is taken."""
        while self._due and self._due[0][0] <= now:
            due, _, item = self._due[0]
            held = self.items.get(item)
            if held is not None and held.due == due:
                return held
            heapq.heappop(self._due)  # woken for another time since, or gone
        return None

    def due_at(self) -> float | None:
        """When to look again, at the latest; None: nobody has a time."""
        return self._due[0][0] if self._due else None
