"""The rebuild's target in PostgreSQL: a table of its own, like the live one, that nobody reads yet."""

from typing import cast

from checkpoint.rebuilds import Rebuilds
from consumer.commands.rebuild.own import see_that_it_is_own, see_that_nobody_shares
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.errors import SettingsError
from consumer.pod.targets.postgresql import SqlTarget
from consumer.settings.stores import PostgreSQLTable
from consumer.stores.postgresql.catalog import describe
from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Database, Session
from consumer.stores.postgresql.names import quoted_table


async def make_sql_table(
    database: Database, plan: RebuildPlan, live: PostgreSQLTable, target: SqlTarget, rebuilds: Rebuilds
) -> None:
    """Make the new table and its ledger where there is none, and see that it is empty or this rebuild's own.

    Where the settings don't say how to make it (`create: true`), it is made like the live one, with its
    indexes, defaults and constraints.

    Raises:
        SettingsError: there is nothing to make it like, or what stands there is another's.
        Unavailable: not now.
    """

    async def make_like(session: Session) -> None:
        if await describe(session, plan.into) is not None:
            return
        shape = await describe(session, live.table)
        if shape is not None:
            see_that_nobody_shares(plan, live.table, shape.columns)
        if live.create:
            return
        if shape is None:
            raise SettingsError(
                f"table {live.table!r} of processor {plan.name} is not there, so that none can be made like"
                f" it; create {plan.into!r} yourself, or set `create: true`, and start again"
            )
        text = f"CREATE TABLE {quoted_table(plan.into)} (LIKE {quoted_table(live.table)} INCLUDING ALL)"
        await session.run(Statement(text))

    async def look(session: Session) -> tuple[str, bool]:
        name = quoted_table(plan.into)
        oid, rows = await session.run(
            Statement("SELECT to_regclass($1)::oid::text", (name,)),
            Statement(f"SELECT FROM {name} LIMIT 1"),
        )
        return cast("str", oid[0][0]), not rows

    await database.transaction(make_like)
    await target.make(database, has_run=False)
    identity, is_empty = await database.transaction(look)

    async def told() -> bool:
        return is_empty

    await see_that_it_is_own(plan, rebuilds, identity, told)
