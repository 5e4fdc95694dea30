"""The aggregate's I/O on PostgreSQL: one transaction for a batch, ledger entries and sums together.

    lock the entries in the order of their keys, and read them
        |  judge each change by its entry; what is to be counted less what is
        v
    add to the groups in the order of their keys, write entries ----> commit: applied
        | a sum that is too large
        v
    rolled back; the lane halves the batch until the record at fault stands alone
A crash after any arrow leaves nothing done.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import cast

from consumer.errors import Rejected
from consumer.processors.aggregate.above import sums_above
from consumer.processors.aggregate.mapping import Counted, settles_to
from consumer.processors.aggregate.sql_sums import SumRows, SumStatements
from consumer.processors.aggregate.sums import (
    Sums,
    added,
    difference,
    from_texts,
    is_in_range,
    out_of_range,
    sum_text,
    to_texts,
)
from consumer.processors.base import APPLIED, HELD, STALE, Above, ProcessorTools, failed
from consumer.processors.gate import Stamp, Verdict
from consumer.processors.gated import Write, Written
from consumer.processors.ledger.entry import NOTHING, Entry, admit
from consumer.processors.ledger.postgresql import SqlLedger, sql_key
from consumer.settings.context import SqlFacts
from consumer.settings.model import Aggregate
from consumer.stores.postgresql.connecting import Row, Statement
from consumer.stores.postgresql.database import Database, Session

_NUMERIC_OVERFLOW = "NumericValueOutOfRange"


@dataclass(slots=True)
class _Plan:
    """What a batch does; the answers are to each write, in order."""

    answers: list[Written] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    adds: Sums = field(default_factory=dict)
    above: list[Above] = field(default_factory=list)


class SqlSumSink:
    """Adds to the sums of one PostgreSQL table through the ledger beside it."""

    def __init__(
        self,
        database: Database,
        target: SqlFacts,
        settings: Aggregate,
        tools: ProcessorTools,
        *,
        tombstone_seconds: float,
    ) -> None:
        """Take what writing needs.

        Args:
            database: the target's.
            target: its table.
            settings: of which it takes `group_by`, `add` and `warn_above`.
            tools: clock, is_stopping, and who is told of sums above their numbers.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
        """
        self._database = database
        self._tools = tools
        self._tombstone_seconds = tombstone_seconds
        self._sums = tuple(settings.add)
        self._warn_above = settings.warn_above or {}
        self._limits = tuple(dict.fromkeys(self._warn_above.values()))
        self._ledger = SqlLedger(
            target.table, target.fingerprint, tombstone_seconds=tombstone_seconds, clock=tools.clock
        )
        group_by = tuple(settings.group_by)
        self._rows = SumRows(group_by, target.columns)
        self._statements = SumStatements(target.table, group_by, target.columns, self._sums, self._limits)

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered."""
        return self._tombstone_seconds

    async def write(self, writes: Sequence[Write[Counted]]) -> list[Written]:
        """Write different items in one transaction, those of a group together.

        Raises:
            Rejected: one of several takes a sum out of range.
            Unavailable: the database can't take them now.
        """
        plan = _Plan()
        try:
            is_done = await self._database.transaction(partial(self._carry_out, writes, plan))
        except Rejected as error:
            if len(writes) > 1:
                raise
            return [failed(await self._explained(error, plan.adds))]
        if not is_done:
            return [HELD] * len(writes)
        for above in plan.above:
            self._tools.on_above(above)
        await self._ledger.purge_if_due(self._database)
        return plan.answers

    async def _carry_out(self, writes: Sequence[Write[Counted]], plan: _Plan, session: Session) -> bool:
        if self._tools.is_stopping():
            return False
        keys = [sql_key(write.item) for write in writes]
        entries = await self._ledger.lock(session, keys)
        plan.answers, plan.entries, plan.above = [], {}, []
        changes: list[Sums] = []
        for key, write in zip(keys, writes, strict=True):
            plan.answers.append(self._judge(key, write, entries[key] or NOTHING, plan, changes))
        plan.adds = _together(changes)
        unused = [key for key, entry in entries.items() if entry is None and key not in plan.entries]
        statements = [Statement(self._statements.add, (self._rows.to_add(plan.adds),))] if plan.adds else []
        if plan.entries:
            statements.append(self._ledger.write(plan.entries))
        if unused:
            statements.append(self._ledger.forget(unused))
        for rows in await session.run(*statements) if statements else ():
            for row in rows:
                plan.above += self._looked_at(row)
        return True

    def _judge(
        self, key: str, write: Write[Counted], held: Entry, plan: _Plan, changes: list[Sums]
    ) -> Written:
        counted = from_texts(cast("Mapping[str, Mapping[str, str]]", held.holds))
        wanted = write.desired if write.over is None else settles_to(write.over, write.desired, counted)
        verdict, stamp = admit(held.stamp, Stamp(write.version, wanted.digest), write.over)
        if verdict is Verdict.TIE:
            return stamp
        if verdict is Verdict.STALE:
            return STALE
        try:
            self._rows.see_that_they_fit(wanted.sums)
        except Rejected as error:
            return failed(error)
        changes.append(difference(wanted.sums, counted))
        plan.entries[key] = Entry(stamp, to_texts(wanted.sums))
        return APPLIED

    def _looked_at(self, row: Row) -> Iterator[Above]:
        """See that a group's sums are in range, and tell of those above their numbers."""
        group, *texts = cast("tuple[str, *tuple[str | None, ...]]", row)
        numbers = [None if text is None else Decimal(text) for text in texts]
        for name, number in zip(self._sums, numbers, strict=False):
            if number is not None and not is_in_range(number):
                raise out_of_range(name, group, sum_text(number))
        yield from sums_above(
            group, dict(zip((*self._sums, *self._limits), numbers, strict=True)), self._warn_above
        )

    async def _explained(self, error: Rejected, adds: Sums) -> Rejected:
        """Which sum it is that its column can't take."""
        if error.code != _NUMERIC_OVERFLOW:
            return error
        for group, named in adds.items():
            for name, number in named.items():
                trial = Statement(self._statements.trial(name), (self._rows.to_add({group: {name: number}}),))
                try:
                    await self._database.transaction(lambda session, trial=trial: session.run(trial))  # type: ignore[misc]
                except Rejected as refused:
                    message = f"the sum {name} of group {group} does not fit its column: {refused}"
                    return Rejected(message, code="SumOutOfRange", by_store=True)
        return error


def _together(changes: Sequence[Sums]) -> Sums:
    return added(
        (group, name, number)
        for sums in changes
        for group, named in sums.items()
        for name, number in named.items()
    )
