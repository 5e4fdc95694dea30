"""The projection's I/O on PostgreSQL: one transaction for a batch, ledger entries and rows together.

    lock the entries in the order of their keys, and read them
        |  judge each change by its entry
        v
    delete rows, write rows, write entries ----> commit: applied
        | fewer rows were written than an item was to get: the others are not its own
        v
    rolled back, and once more from the top without that item
A crash after any arrow leaves nothing done.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import cast

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import HELD, Outcome, ProcessorTools, failed
from consumer.processors.gated import Write, Written
from consumer.processors.ledger.postgresql import SqlLedger, sql_key
from consumer.processors.ledger.sql_values import ColumnValues, recordset
from consumer.processors.projection.mapping import Desired
from consumer.processors.projection.owners import Owners
from consumer.processors.projection.sql_owners import SqlOwners
from consumer.processors.projection.sql_plan import Plan, Planner, Refusals, Wish
from consumer.processors.projection.sql_rows import RowStatements, RowWriter
from consumer.processors.projection.waits import KeyWaits
from consumer.settings.base import WHOLE
from consumer.settings.context import SqlFacts
from consumer.settings.model import Projection
from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Database, Session

_NAMED = 3
"""Of an item's rows, in an error."""


class _NotTheirsError(Exception):
    """Rows that items of the batch were to write are not their own."""

    def __init__(self, refused: Refusals) -> None:
        super().__init__(f"{len(refused)} items")
        self.refused = refused


class SqlSink:
    """Writes rows of one PostgreSQL table through the ledger beside it."""

    def __init__(
        self,
        database: Database,
        target: SqlFacts,
        settings: Projection,
        tools: ProcessorTools,
        owners: Owners,
        *,
        may_share: bool,
        tombstone_seconds: float,
    ) -> None:
        """Take what writing needs.

        Args:
            database: the target's.
            target: the read model's table.
            settings: of which it takes `key`, `fields`, `adopt` and `key_wait`.
            tools: clock, and whether it is time to stop.
            owners: tells what the items have whose rows are waited for.
            may_share: whether two items can want one row.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
        """
        self._database = database
        self._table = target.table
        self._adopt = settings.adopt
        self._may_share = may_share
        self._tombstone_seconds = tombstone_seconds
        self._is_stopping = tools.is_stopping
        self._waits = KeyWaits(tools.clock, settings.key_wait)
        self._ledger = SqlLedger(
            target.table, target.fingerprint, tombstone_seconds=tombstone_seconds, clock=tools.clock
        )
        key, fields = tuple(settings.key), (WHOLE,) if settings.fields is None else tuple(settings.fields)
        self._writer = RowWriter(ColumnValues(key, target.columns))
        self._owners = SqlOwners(database, target.table, key, self._writer, owners)
        self._planner = Planner(self._writer, may_share=may_share)
        self._statements = RowStatements(target.table, key, fields, adopt=settings.adopt)

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered."""
        return self._tombstone_seconds

    async def write(self, writes: Sequence[Write[Desired]]) -> list[Written]:
        """Write different items in one transaction.

        Raises:
            Rejected: one of several has a row that the table can't take.
            Unavailable: the database can't take them now.
        """
        wishes = [self._wish(write) for write in writes]
        refused: dict[str, Outcome | None] = {}
        while True:
            try:
                plan = await self._database.transaction(partial(self._carry_out, wishes, refused))
            except _NotTheirsError as error:
                refused |= error.refused
            except Rejected as error:
                if len(wishes) > 1:
                    raise
                return [failed(error)]
            except Unavailable as error:
                if not error.of_item:
                    self._waits.store_is_away()
                raise
            else:
                break
        if plan is None:
            return [HELD] * len(wishes)
        await self._ledger.purge_if_due(self._database)
        return await self._written(wishes, plan)

    def _wish(self, write: Write[Desired]) -> Wish:
        rows = {(text := row.text): self._writer.content(row, text) for row in write.desired.rows}
        return Wish(sql_key(write.item), write, rows)

    async def _written(self, wishes: Sequence[Wish], plan: Plan) -> list[Written]:
        waiting = [wish for wish, answer in zip(wishes, plan.answers, strict=True) if answer is None]
        told = iter(await asyncio.gather(*map(self._still_waits, waiting)))
        written: list[Written] = []
        for wish, answer in zip(wishes, plan.answers, strict=True):
            if answer is None:
                written.append(next(told))
            else:
                self._waits.over(wish.key)
                written.append(answer)
        return written

    async def _still_waits(self, wish: Wish) -> Outcome:
        key = f"{_one_of(wish.rows)} of {self._table!r}"
        are_claimed = partial(self._owners.are_claimed, wish.key, wish.rows.keys())
        try:
            return failed(await self._waits.error(wish.key, key, are_claimed))
        except (Rejected, Unavailable) as error:
            return failed(error)

    async def _carry_out(self, wishes: Sequence[Wish], refused: Refusals, session: Session) -> Plan | None:
        if self._is_stopping():
            return None
        entries = await self._ledger.lock(session, (wish.key for wish in wishes))
        plan = self._planner.plan(wishes, entries, refused)
        statements = self._statements_of(plan)
        if not statements:
            return plan
        answers = await session.run(*statements)
        written = Counter(row[0] for rows in answers for row in rows)
        missing = [key for key, puts in plan.puts.items() if written[key] < len(puts)]
        if missing:
            raise _NotTheirsError(await self._why(session, {key: plan.puts[key] for key in missing}))
        return plan

    def _statements_of(self, plan: Plan) -> list[Statement]:
        texts, ledger = self._statements, self._ledger
        puts = [row for rows in plan.puts.values() for row in rows]
        statements: list[Statement] = []
        if self._may_share and (plan.drops or puts):
            statements.append(Statement(texts.lock, (recordset((*plan.drops, *puts)),)))
        if plan.drops:
            statements.append(Statement(texts.delete, (recordset(plan.drops),)))
        if puts:
            statements.append(Statement(texts.put, (recordset(puts),)))
        if plan.entries:
            statements.append(ledger.write(plan.entries))
        if plan.unused:
            statements.append(ledger.forget(plan.unused))
        return statements

    async def _why(self, session: Session, missing: Mapping[str, Sequence[bytes]]) -> Refusals:
        """Whose the rows are that these items can't write."""
        rows = recordset(row for puts in missing.values() for row in puts)
        (found,) = await session.run(Statement(self._statements.owners, (rows,)))
        refused: dict[str, Outcome | None] = dict.fromkeys(missing)
        if not self._adopt:
            foreign = {cast("str", wanted_by) for wanted_by, owner in found if owner is None}
            refused |= dict.fromkeys(foreign & missing.keys(), failed(self._foreign_row()))
        return refused

    def _foreign_row(self) -> Rejected:
        message = (
            f"the row in {self._table!r} was not written by Tidemark (its {RESERVED} is null);"
            " set `adopt: true` to take such rows over, or choose another table"
        )
        # One such row is a row; twenty in a row are somebody else's table.
        return Rejected(message, code="ForeignRow", by_store=True)


def _one_of(rows: Collection[str]) -> str:
    first, others = list(islice(rows, _NAMED)), len(rows) - _NAMED
    return " or ".join(first) + (f" or one of {others} others" if others > 0 else "")
