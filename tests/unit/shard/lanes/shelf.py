"""A backlog whose records are told by name: `a1` is the first change of item a."""

from consumer.errors import Rejected
from consumer.shard.lanes.backlog import Backlog, Batch, Verdict
from consumer.shard.lanes.tools import Ticket
from tests.support.changes import put
from tests.unit.shard.lanes.bench import BAD, name


class Shelf:
    """A backlog, and the batch that was taken last. Records are numbered as they are given."""

    def __init__(
        self,
        names: str = "",
        *,
        batch_size: int = 100,
        coalesces: bool = False,
        window: float = 0.0,
        alone: str = "",
    ) -> None:
        """`alone`: records that are never taken as one with others."""
        self.backlog = Backlog(
            batch_size=batch_size,
            coalesces=coalesces,
            batching_window=window,
            stands_alone=lambda change: name(change) in alone.split(),
        )
        self.batch = Batch([], [])
        self._tickets: dict[str, Ticket] = {}
        self.give(names)

    def give(self, names: str, now: float = 0.0) -> None:
        for text in names.split():
            ticket = (len(self._tickets), put(text[0], int(text[1:])))
            self._tickets[text] = ticket
            self.backlog.ready.came.append(ticket)
        if names:
            self.backlog.note_filling(now)

    def take(self, now: float = 0.0, *, probing: bool = False) -> str | None:
        """The next batch, such as `a1 b1+b2`: two changes, the second of them taken as one of two."""
        batch = self.backlog.next_batch(now, probing=probing)
        if batch is None:
            return None
        self.batch = batch
        assert len(batch.groups) == len(batch.changes)
        assert [name(change) for change in batch.changes] == [name(group[-1][1]) for group in batch.groups]
        return " ".join("+".join(name(change) for _, change in group) for group in batch.groups)

    def tickets(self, names: str) -> list[Ticket]:
        return [self._tickets[text] for text in names.split()]

    def put_back(self, names: str, due: float, *, attempts: int = 0, alone: bool = False) -> None:
        """The first of these records of one item failed."""
        held = self.backlog.hold(self.tickets(names))
        held.attempts += attempts
        held.failures += 1
        held.alone = alone
        self.backlog.wake(names[0], due)

    def settle(self, names: str, now: float = 0.0) -> None:
        self.backlog.settled(self.tickets(names), now)

    def condemn(self, names: str, error: Rejected = BAD) -> None:
        for ordinal, _ in self.tickets(names):
            self.backlog.condemn(ordinal, Verdict(error, 1))

    def buried(self, now: float = 0.0) -> str:
        """The names of what is to be buried now."""
        return " ".join(name(ticket[1]) for ticket, _ in self.backlog.take_condemned(now))
