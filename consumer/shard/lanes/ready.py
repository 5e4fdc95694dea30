"""What came to a lane and was not looked at yet. Pure.

came        a1 b1 a2 c1 a3 b2
one by one  a1 b1 a2 | c1 a3 b2         three records a batch
by item     a1+a2+a3 b1+b2 c1           three items a batch, with all that waits of each

There is one batch under way at a time, so an item that is left in its place is not begun twice.
"""

from collections import deque

from consumer.shard.lanes.held import HeldItems
from consumer.shard.lanes.tools import Ticket


class Ready:
    """One lane's, in stream order; by item, an item's records are in its first one's place."""

    def __init__(self, *, by_item: bool) -> None:
        self.came: deque[Ticket] = deque()
        """The owner appends."""
        self._by_item = by_item
        self._lines: dict[str, list[Ticket]] = {}
        self._in_lines = 0

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.came) + self._in_lines

    def take(self, limit: int, most: int, waiting: HeldItems) -> list[list[Ticket]]:
        """Take the next records out, together those of one item; those of items that wait join their queues.

        Args:
            limit: of how many records, or by item, of how many items.
            most: records of one item.
            waiting: the items that wait.
        """
        if self._by_item:
            return self._take_by_item(limit, most, waiting)
        came = self.came
        taken: list[Ticket] = []
        while came and len(taken) < limit:
            count = min(len(came), limit - len(taken))
            taken += waiting.free([came.popleft() for _ in range(count)])
        return [[ticket] for ticket in taken]

    def _take_by_item(self, limit: int, most: int, waiting: HeldItems) -> list[list[Ticket]]:
        self._line_up()
        taken: list[list[Ticket]] = []
        for item in list(self._lines):
            line = self._lines[item]
            if len(line) > most:
                self._lines[item] = line[most:]
                line = line[:most]
            else:
                del self._lines[item]
            self._in_lines -= len(line)
            free = waiting.free(line)
            if free:
                taken.append(free)
            if len(taken) == limit:
                break
        return taken

    def _line_up(self) -> None:
        lines = self._lines
        for ticket in self.came:
            item = ticket[1].item
            line = lines.get(item)
            if line is None:
                lines[item] = [ticket]
            else:
                line.append(ticket)
        self._in_lines += len(self.came)
        self.came.clear()
