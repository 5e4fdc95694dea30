"""The projection's I/O on DynamoDB where an item's keys move, or it has many rows: a ledger tells which.

    BatchGetItem of the ledger's entries, consistent
        |
        v
    admit(entry, change) --stale--> settled;  --a tie--> the caller reads the source
        | newer, or a tie that the source settled
        v
    TransactWriteItems: rows put and deleted, and the entry, if it is exactly as read ----> applied
        | the entry is not as read: judged anew, by the one that stands there
        | a row is another item's: the rows it should not have are given up, then the item waits
A crash after any arrow repeats from the top, where the entry tells what was done. Rows are deleted, without
tombstones: the entry remembers the deletion.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, STALE, ProcessorTools, failed
from consumer.processors.gate import Stamp, Verdict
from consumer.processors.gated import Write, Written
from consumer.processors.ledger.dynamodb import LedgerTable
from consumer.processors.ledger.entry import NOTHING, Entry, admit, entry_key, from_item
from consumer.processors.ledger.transactions import Refusal, Transactions
from consumer.processors.projection.mapping import Desired, Row
from consumer.processors.projection.owners import Owners
from consumer.processors.projection.plan import RowActions, Step, departure, difference, steps
from consumer.processors.projection.waits import KeyWaits
from consumer.processors.side_by_side import side_by_side
from consumer.processors.source import DynamoDB
from consumer.record import Image
from consumer.settings.context import TableFacts

CONNECTIONS = 64
"""Transactions under way at once in one shard process."""

_MOST_TRIES = 20
"""Of one write against other writers of its item, before it is left to a later try."""


@dataclass(slots=True)
class _Attempt:
    """One item's write, and what has been found out on the way.

    Attributes:
        write: what is to be done.
        owner: the item, as its rows name it.
        rows: those it should have, by the text of their keys.
        entry: the ledger's, as it stands for all that is known.
        over: what the write is to replace, for a tie.
        tried: the entry that was last tried to be written.
        ends: whether that is the whole of it.
        lost: rows of the entry that are not the item's any more: somebody else's hands were there.
        taken: the key of a row that another item has; the rows that the item should not have are given up.
        taker: that item.
    """

    write: Write[Desired]
    owner: str
    rows: dict[str, Row]
    entry: Entry
    over: Stamp | None
    tried: Entry | None = None
    ends: bool = False
    lost: set[str] = field(default_factory=set)
    taken: str | None = None
    taker: str = ""

    def reached(self, entry: Entry) -> None:
        """The entry was written."""
        self.entry = entry
        if self.over is not None:
            self.over = entry.stamp

    def found(self, entry: Entry) -> bool:
        """Another entry stands there than was read; whether it was another's hand."""
        if entry == self.tried:  # our own, whose answer was lost, or of somebody who did the very same
            self.reached(entry)
            return False
        self.entry, self.taken = entry, None
        return True


class LedgeredRowSink:
    """Writes rows of one DynamoDB table, and the ledger that says which item has which."""

    def __init__(
        self,
        client: DynamoDB,
        target: TableFacts,
        ledger: LedgerTable,
        owners: Owners,
        *,
        adopt: bool,
        key_wait: float,
        tools: ProcessorTools,
    ) -> None:
        """Take what writing needs.

        Args:
            client: DynamoDB in the target's region.
            target: the read model's table.
            ledger: the ledger's.
            owners: tells what the items have whose rows are waited for.
            adopt: take over rows that have no owner.
            key_wait: seconds an item waits at most for a key that another item has.
            tools: clock, random numbers, and whom to tell.
        """
        self._ledger = ledger
        self._owners = owners
        self._transactions = Transactions(client, tools)
        self._rows = RowActions(target.name, target.keys, adopt=adopt)
        self._table = target.name
        self._tools = tools
        self._waits = KeyWaits(tools.clock, key_wait)
        self._connections = asyncio.Semaphore(CONNECTIONS)

    @property
    def tombstones_last(self) -> float | None:
        """Seconds from a tombstone's writing on, at least."""
        return self._ledger.tombstone_seconds

    async def write(self, writes: Sequence[Write[Desired]]) -> list[Written]:
        """Write different items side by side; each answer is its own."""
        if self._tools.is_stopping():
            return [HELD] * len(writes)
        try:
            entries = await self._ledger.read([write.item for write in writes])
        except Unavailable as error:
            self._waits.store_is_away()
            return [failed(error)] * len(writes)
        return await side_by_side(map(self._answer, writes, entries))

    async def _answer(self, write: Write[Desired], entry: Entry) -> Written:
        rows = {self._rows.text(row): row for row in write.desired.rows}
        attempt = _Attempt(write, entry_key(write.item), rows, entry, write.over)
        async with self._connections:
            try:
                answer = await self._carry_out(attempt)
            except (Rejected, Unavailable) as error:
                if isinstance(error, Unavailable) and not error.of_item:
                    self._waits.store_is_away()
                return failed(error)
        if answer in (APPLIED, STALE):
            self._waits.over(write.item)
        return answer

    async def _carry_out(self, attempt: _Attempt) -> Written:
        for _ in range(_MOST_TRIES):
            if attempt.ends and attempt.entry == attempt.tried:
                return APPLIED
            verdict, stamp = admit(attempt.entry.stamp, attempt.write.stamp, attempt.over)
            if verdict is Verdict.TIE:
                return stamp
            if verdict is Verdict.STALE:
                return STALE
            todo = self._steps(attempt, stamp)
            for step in todo:
                attempt.ends = attempt.taken is None and step is todo[-1]
                if self._tools.is_stopping():
                    return HELD
                if not await self._take(attempt, step):
                    break
            else:
                if attempt.taken is None:
                    return APPLIED
                is_claimed = partial(self._is_claimed, attempt.taker, attempt.taken)
                raise await self._waits.error(attempt.write.item, attempt.taken, is_claimed)
        message = "other writers kept changing the item's entry in the ledger"
        raise Unavailable(message, code="EntryContended", of_item=True)

    async def _is_claimed(self, owner: str, text: str) -> bool:
        rows = await self._owners.rows(owner)
        return rows is None or text in map(self._rows.text, rows)

    def _steps(self, attempt: _Attempt, stamp: Stamp) -> Sequence[Step]:
        """What is still to be done: the whole write, or to give up what keeps others waiting."""
        entry, owner = attempt.entry, attempt.owner
        if attempt.taken is None:
            parts = list(difference(entry.holds, attempt.rows, owner, self._rows))
        else:
            stamp = entry.stamp  # the change is still to come
            parts = list(departure(entry.holds, attempt.rows.keys(), owner, self._rows))
            if not parts:
                return ()
        parts = [part._replace(action=None) if part.text in attempt.lost else part for part in parts]
        ahead = list(steps(entry, parts, stamp))
        if len(ahead) > 1:  # no step is taken where the last one could not be
            self._ledger.put(attempt.write.item, ahead[-1].entry, entry)
        return ahead

    async def _take(self, attempt: _Attempt, step: Step) -> bool:
        """Carry out a step; False: it was refused, and the attempt knows more now."""
        attempt.tried = step.entry
        put = self._ledger.put(attempt.write.item, step.entry, attempt.entry)
        refusals = await self._transactions.carry_out([put, *step.actions])
        if refusals is None:
            attempt.reached(step.entry)
            return True
        of_entry, *of_rows = refusals
        if of_entry is None:
            self._learn_of_rows(attempt, step, of_rows)
        elif attempt.found(NOTHING if of_entry.item is None else from_item(of_entry.item)):
            self._tools.on_conflict()
        return False

    def _learn_of_rows(self, attempt: _Attempt, step: Step, refusals: Sequence[Refusal | None]) -> None:
        acting = [part for part in step.parts if part.action is not None]
        for part, refusal in zip(acting, refusals, strict=True):
            if refusal is None:
                continue
            if part.digest is None:
                attempt.lost.add(part.text)
            elif (owner := _owner(refusal.item or {})) is None:
                message = (
                    f"the row {part.text} in {self._table!r} was not written by this processor (its"
                    f" {RESERVED} names no item); set `adopt: true` to take such rows over, or choose another"
                    " table"
                )
                raise Rejected(message, code="ForeignRow", by_store=True)
            else:
                attempt.taken, attempt.taker = part.text, owner


def _owner(row: Image) -> str | None:
    """The item that has a row; None where the row is not a ledger's."""
    mark = row.get(RESERVED, {}).get("M")
    owner = mark.get("o") if isinstance(mark, dict) else None
    return owner.get("S") if isinstance(owner, dict) else None
