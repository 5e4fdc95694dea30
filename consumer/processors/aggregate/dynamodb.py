"""The aggregate's I/O on DynamoDB: sums in the target's rows, what each item counts in a ledger.

    BatchGetItem of the items' entries
        |
        v
    judge(entry, change) --stale--> settled; --a tie--> the caller reads the source
        | newer
        v
    TransactWriteItems: the entries, provided that each is as it was read; the differences to the groups
        |--done--> applied
        |--an entry was written since--> its item is judged again by it, the others go on
        |--an action is at fault--> the items it may come from go one by one
A crash after any arrow repeats from the top, where the entries tell what is counted.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

from consumer.errors import Rejected, Unavailable
from consumer.processors.aggregate.above import RowsAbove
from consumer.processors.aggregate.locks import GroupLocks
from consumer.processors.aggregate.mapping import Counted, settles_to
from consumer.processors.aggregate.plan import Bundle, Step, bundles, steps_of
from consumer.processors.aggregate.rows import SumRows
from consumer.processors.aggregate.sums import Sums, from_texts
from consumer.processors.base import APPLIED, HELD, STALE, Outcome, ProcessorTools, failed
from consumer.processors.gate import Stamp, Verdict
from consumer.processors.gated import Write, Written
from consumer.processors.ledger.dynamodb import LedgerTable
from consumer.processors.ledger.entry import NOTHING, Entry, admit, from_item
from consumer.processors.ledger.transactions import ActionRejected, Transactions
from consumer.processors.side_by_side import side_by_side
from consumer.record import Image

CONNECTIONS = 64
"""Transactions under way at once in one shard process."""

_MOST_ROUNDS = 20
"""Times that an item is judged again before it is left to a later try."""

_Ends = dict[int, Written | Entry]
"""What became of writes, by their places; an entry: it is what stands there now, so judge again."""


class SumSink:
    """Adds to the sums of the target table, through the gate of the ledger."""

    def __init__(
        self,
        ledger: LedgerTable,
        rows: SumRows,
        transactions: Transactions,
        above: RowsAbove | None,
        *,
        tombstone_seconds: float,
        tools: ProcessorTools,
    ) -> None:
        """Take what writing needs.

        Args:
            ledger: what each item counts.
            rows: the groups' rows.
            transactions: carries both out at once.
            above: told of the groups that were written; None: nobody asks.
            tombstone_seconds: for which the ledger remembers a deletion.
            tools: is_stopping and on_conflict.
        """
        self._ledger = ledger
        self._rows = rows
        self._transactions = transactions
        self._above = above
        self._tombstone_seconds = tombstone_seconds
        self._tools = tools
        self._locks = GroupLocks()
        self._connections = asyncio.Semaphore(CONNECTIONS)

    @property
    def tombstones_last(self) -> float:
        """Seconds for which a deletion is surely remembered."""
        return self._tombstone_seconds

    async def write(self, writes: Sequence[Write[Counted]]) -> list[Written]:
        """Write different items, those of a group together; each answer is its own."""
        if self._tools.is_stopping():
            return [HELD] * len(writes)
        try:
            read = await self._ledger.read([each.item for each in writes])
        except Unavailable as error:
            return [failed(error)] * len(writes)
        entries = dict(enumerate(read))
        answers: dict[int, Written] = {}
        for _ in range(_MOST_ROUNDS):
            ends = await self._carry_out(writes, entries)
            entries = {place: end for place, end in ends.items() if isinstance(end, Entry)}
            answers |= {place: end for place, end in ends.items() if not isinstance(end, Entry)}
            if not entries:
                break
        message = "other writers kept changing what this item counts"
        contended = failed(Unavailable(message, code="EntryContended", of_item=True))
        return [answers.get(place, contended) for place in range(len(writes))]

    async def _carry_out(self, writes: Sequence[Write[Counted]], entries: Mapping[int, Entry]) -> _Ends:
        ends: _Ends = {}
        single: list[Step] = []
        several: list[list[Step]] = []
        for place, entry in entries.items():
            try:
                judged = self._judged(place, writes[place], entry)
            except Rejected as error:
                judged = failed(error)
            if not isinstance(judged, list):
                ends[place] = judged
            elif len(judged) == 1:
                single += judged
            else:
                several.append(judged)
        work = [*map(self._transact, bundles(single)), *map(self._one_by_one, several)]
        for end in await side_by_side(work) if work else ():
            ends |= end
        return ends

    def _judged(self, place: int, write: Write[Counted], entry: Entry) -> list[Step] | Written:
        """The steps that a change asks for; or what becomes of it without."""
        held = _sums_of(entry)
        wanted = write.desired
        if write.over is not None:
            wanted = settles_to(write.over, wanted, held)
        verdict, stamp = admit(entry.stamp, Stamp(write.version, wanted.digest), write.over)
        if verdict is Verdict.STALE:
            return STALE
        if verdict is Verdict.TIE:
            return stamp

        def put(new: Entry, over: Entry) -> bytes:
            return self._ledger.put(write.item, new, over)

        return steps_of(place, entry, held, stamp, wanted.sums, put)

    async def _one_by_one(self, steps: Sequence[Step]) -> _Ends:
        """Carry out steps of one item until one of them can't be."""
        ends: _Ends = {}
        for step in steps:
            ends = await self._transact(_alone(step))
            if ends[step.place] != APPLIED:
                return ends
        return ends

    async def _transact(self, bundle: Bundle) -> _Ends:
        """Carry out a bundle; where an action is at fault, without the steps that it may come from."""
        steps = bundle.steps
        try:
            return await self._attempt(bundle)
        except Unavailable as error:
            return _all(steps, failed(error))
        except Rejected as error:
            if len(steps) == 1:
                return {steps[0].place: failed(await self._rows.explained(error, bundle.adds))}
            suspects = _suspects(error, bundle)
        ends: _Ends = {}
        suspected = {step.place for step in suspects}
        others = [step for step in steps if step.place not in suspected]
        for part in (*bundles(others), *map(_alone, suspects)):
            ends |= await self._transact(part)
        return ends

    async def _attempt(self, bundle: Bundle) -> _Ends:
        steps, adds = bundle.steps, bundle.adds
        actions = [*(step.put for step in steps), *(self._rows.add(group, adds[group]) for group in adds)]
        async with self._locks.holding(adds), self._connections:
            if self._tools.is_stopping():
                return _all(steps, HELD)
            refusals = await self._transactions.carry_out(actions)
        if refusals is None:
            if self._above is not None:
                await self._above.look(adds)
            return _all(steps, APPLIED)
        self._tools.on_conflict()
        entries = zip(steps, refusals, strict=False)  # no refusal is of a group: adding has no condition
        return {
            step.place: step.over if refusal is None else _standing(refusal.item) for step, refusal in entries
        }


def _sums_of(entry: Entry) -> Sums:
    try:
        return from_texts(cast("Mapping[str, Mapping[str, str]]", entry.holds))
    except (ArithmeticError, AttributeError, TypeError) as error:
        message = "an entry in the ledger is not of an aggregate; give the processor a ledger of its own"
        raise Rejected(message, code="ForeignRow", by_store=True) from error


def _standing(item: Image | None) -> Entry | Outcome:
    """The entry that stands where another was expected."""
    try:
        return NOTHING if item is None else from_item(item)
    except Rejected as error:
        return failed(error)


def _alone(step: Step) -> Bundle:
    (bundle,) = bundles([step])
    return bundle


def _suspects(error: Rejected, bundle: Bundle) -> list[Step]:
    """The steps that a fault may come from: the entry's own, or those that add to the group at fault."""
    steps = bundle.steps
    if not isinstance(error, ActionRejected):
        return steps
    if error.place < len(steps):
        return [steps[error.place]]
    group = list(bundle.adds)[error.place - len(steps)]
    return [step for step in steps if group in step.adds]


def _all(steps: Sequence[Step], outcome: Outcome) -> _Ends:
    return {step.place: outcome for step in steps}
