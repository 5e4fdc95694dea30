"""PostgreSQL: the new table and its ledger take the old ones' names, in one transaction.

    orders          -> orders_before              orders_tidemark          -> orders_before_tidemark
    orders_rebuild  -> orders                     orders_rebuild_tidemark  -> orders_tidemark, and is ours

Who still writes to `orders` by older settings finds a ledger of others, and who builds `orders_rebuild` finds
no table: both wait. Names are those of "ALTER TABLE" and the system catalogs' pages.
"""

import asyncio
from collections.abc import Callable

import orjson

from checkpoint.tables import Pause
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.errors import Rejected, SettingsError, Unavailable
from consumer.pod.targets.sql_checks import owner_of
from consumer.processors.ledger.sql_table import SUFFIX, ledger_of, write_owner
from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Database, Session
from consumer.stores.postgresql.faults import is_of_the_settings
from consumer.stores.postgresql.names import quoted, quoted_table

BEFORE = "_before"
"""What is added to the old table's name."""

_LONGEST_NAME = 63
"""NAMEDATALEN - 1 ("Lexical Structure"): longer ones are cut short in silence."""

_LOOKS = 5
_BETWEEN_LOOKS_SECONDS = 2.0

_ONE_AT_A_TIME = Statement("SELECT pg_advisory_xact_lock(hashtext('tidemark'))")
_VIEWS = """
    SELECT DISTINCT r.ev_class::regclass::text FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass($1) AND r.ev_class <> d.refobjid
    ORDER BY 1"""
_GRANTS = """
    SELECT format('GRANT %s ON TABLE %s TO %s%s', a.privilege_type, $2::text,
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.oid = to_regclass($1) AND a.grantee <> c.relowner"""

_MISSING = """
    SELECT o.item FROM {old} AS o WHERE o.item <> '' AND o.holds <> jsonb_build_object()
        AND NOT EXISTS (SELECT FROM {new} AS n WHERE n.item = o.item AND n.v IS NOT NULL)
    ORDER BY o.item LIMIT 10"""
_LOOKED_FOR = "SELECT count(*) FROM {old} AS o WHERE o.item <> '' AND o.holds <> jsonb_build_object()"


class SqlSwitch:
    """From one table to another."""

    pointer = None
    """Readers find the new one under the old one's name."""

    def __init__(
        self, database: Database, plan: RebuildPlan, live: str, identity: str, pause: Pause = asyncio.sleep
    ) -> None:
        """Take what renaming needs.

        Args:
            database: of both tables.
            plan: the rebuild.
            live: the live table's name in the settings, `table` or `schema.table`.
            identity: of the table that the rebuild has begun on; a rename leaves it as it is.
            pause: waits that many seconds.
        """
        self._database = database
        self._plan = plan
        self._live = live
        self._before = f"{live}{BEFORE}"
        self._identity = identity
        self._pause = pause

    async def check(self) -> None:
        """See Switch."""
        if _schema(self._plan.into) != _schema(self._live):
            raise SettingsError(
                f"{self._plan.into!r} and {self._live!r} are in two schemas, and a table is only"
                " renamed within its own"
            )
        if len(_name(ledger_of(self._before))) > _LONGEST_NAME:
            raise SettingsError(
                f"{ledger_of(self._before)!r}, the old ledger's name to be, has more than {_LONGEST_NAME}"
                " characters; give the table a shorter name"
            )
        await self._database.transaction(self._see_that_nothing_is_in_the_way)

    async def _see_that_nothing_is_in_the_way(self, session: Session) -> None:
        for name in (self._before, ledger_of(self._before)):
            if await _is_there(session, name):
                raise SettingsError(
                    f"table {name!r} is there, of an earlier cut-over; drop it, since the old table is to get"
                    " its name"
                )
        (views,) = await session.run(Statement(_VIEWS, (quoted_table(self._live),)))
        if views:
            names = ", ".join(str(row[0]) for row in views)
            raise SettingsError(
                f"views read {self._live!r} ({names}), and would go on reading it under its new name; drop"
                " them, cut over, and make them anew"
            )

    async def missing(self, show: Callable[[int], None]) -> list[str] | None:
        """See Switch; of both, the ledgers tell."""
        for look in range(_LOOKS):
            if look:
                await self._pause(_BETWEEN_LOOKS_SECONDS)
            found = await self._database.transaction(self._look_for_missing)
            if found is None or not found[0]:
                break
        if found is None:
            return None
        missing, looked = found
        show(looked)
        return missing

    async def _look_for_missing(self, session: Session) -> tuple[list[str], int] | None:
        """The first items of which the new ledger knows nothing, and how many were looked for."""
        old, new = ledger_of(self._live), ledger_of(self._plan.into)
        if not await _is_there(session, old):
            return None
        text = _MISSING.format(old=quoted_table(old), new=quoted_table(new))
        (rows,) = await session.run(Statement(text))
        ((looked,),) = (await session.run(Statement(_LOOKED_FOR.format(old=quoted_table(old)))))[0]
        return [str(row[0]) for row in rows], int(str(looked))

    async def swap(self) -> None:
        """See Switch.

        Raises:
            SettingsError: the new table is not there, or PostgreSQL does not let us; nothing was done.
        """
        try:
            await self._database.transaction(self._rename)
        except (Rejected, Unavailable) as error:
            if is_of_the_settings(error):
                raise SettingsError(str(error)) from None
            raise

    async def _rename(self, session: Session) -> None:
        plan, live = self._plan, self._live
        processor = plan.processor
        ours = orjson.dumps(owner_of(plan.live.application, processor)).decode()
        await session.run(_ONE_AT_A_TIME)
        if await _identity(session, live) == self._identity:
            return  # done already, and its answer got lost
        if await _identity(session, plan.into) != self._identity:
            raise SettingsError(f"table {plan.into!r} is not there, or another one than was built")
        names = (quoted_table(live), quoted_table(plan.into))
        (grants,) = await session.run(Statement(_GRANTS, names))
        moves = [(live, self._before), (ledger_of(live), ledger_of(self._before))]
        moves = [move for move in moves if await _is_there(session, move[0])]
        moves += [(plan.into, live), (ledger_of(plan.into), ledger_of(live))]
        await session.run(
            *(Statement(str(row[0])) for row in grants),
            *(
                Statement(f"ALTER TABLE {quoted_table(was)} RENAME TO {quoted(_name(now))}")
                for was, now in moves
            ),
            write_owner(live, ours),
        )

    def leftovers(self) -> list[str]:
        """The old table and its ledger."""
        return [f"tables {self._before} and {self._before}{SUFFIX} in PostgreSQL"]


async def _is_there(session: Session, table: str) -> bool:
    return await _identity(session, table) is not None


async def _identity(session: Session, table: str) -> str | None:
    (rows,) = await session.run(Statement("SELECT to_regclass($1)::oid::text", (quoted_table(table),)))
    return None if rows[0][0] is None else str(rows[0][0])


def _name(table: str) -> str:
    return table.rpartition(".")[2]


def _schema(table: str) -> str:
    return table.rpartition(".")[0]
