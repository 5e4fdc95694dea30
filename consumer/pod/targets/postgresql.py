"""PostgreSQL tables, looked at and made.

Both are one transaction of the same statements: a look is rolled back. So what PostgreSQL says of types,
names and rights is known before anything is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import orjson

from consumer.attributes import RESERVED
from consumer.errors import Rejected, SettingsError, TidemarkError, Unavailable
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.sql_checks import (
    OWNER_TYPE,
    Wanted,
    check_address,
    lacking,
    mismatches,
    owner_of,
    read_owner_text,
    refusal,
    told,
    untyped,
    wanted,
)
from consumer.processors.base import fingerprint
from consumer.processors.ledger.sql_table import create_ledger, ledger_of, read_owner, write_owner
from consumer.settings.context import SqlFacts, TableFacts
from consumer.settings.model import Processor
from consumer.settings.stores import PostgreSQLTable
from consumer.stores.opened import Stores
from consumer.stores.postgresql.catalog import create_table, describe, printed
from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Database, Session
from consumer.stores.postgresql.faults import is_of_the_settings, state_of
from consumer.stores.postgresql.names import quoted

_ONE_AT_A_TIME = Statement("SELECT pg_advisory_xact_lock(hashtext('tidemark'))")
"""Pods that start together make tables one after the other."""


async def look_at_sql(target: "SqlTarget", stores: Stores, findings: Findings) -> SqlFacts | None:
    """See SqlTarget.look; an address that is none is a problem too."""
    try:
        database = stores.postgresql(target.store)
    except SettingsError as error:
        findings.problems.append(f"{target.where}.{error}")
        return None
    return await target.look(database, findings)


class _LookedError(Exception):
    """Rolls back what was only looked at."""

    def __init__(self, facts: SqlFacts) -> None:
        super().__init__(facts.table)
        self.facts = facts


class _NotUsableError(Exception):
    """What is there can't be used; rolls back what was made."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def sql_target(application: str, processor: Processor, source: TableFacts) -> "SqlTarget | None":
    """The processor's table, where it is in PostgreSQL."""
    store = processor.store.postgresql
    return None if store is None else SqlTarget(processor, store, source, application)


@dataclass(frozen=True, slots=True)
class SqlTarget:
    """A processor's table in PostgreSQL.

    Attributes:
        processor: the processor's settings.
        store: the same's, of the table.
        source: the source table.
        application: the application's name.
    """

    processor: Processor
    store: PostgreSQLTable
    source: TableFacts
    application: str

    async def look(self, database: Database, findings: Findings) -> SqlFacts | None:
        """What the table is, or will be once it is made; None, and problems told, where it can't be used.

        Changes nothing.

        Raises:
            Unavailable: PostgreSQL can't be asked now.
        """
        return await self._told(database, findings, has_run=False, is_look=True)

    async def make(self, database: Database, *, has_run: bool) -> SqlFacts:
        """Make the ledger, and the table where the settings say so, and keep whose they are.

        `has_run`: the application has settled changes, so that a ledger that is new lacks them.

        Raises:
            SettingsError: what can't be used, a line each.
            Unavailable: PostgreSQL can't be asked now.
        """
        findings = Findings()
        facts = await self._told(database, findings, has_run=has_run, is_look=False)
        if facts is None:
            raise SettingsError("\n".join(findings.problems))
        return facts

    async def _told(
        self, database: Database, findings: Findings, *, has_run: bool, is_look: bool
    ) -> SqlFacts | None:
        columns = wanted(self.processor, self.source)
        if problems := list(check_address(self.store.url or "")):
            findings.problems += told(self.where, self.store.table, problems)
            return None
        work = partial(self._prepare, columns, has_run=has_run, is_look=is_look)
        try:
            return await database.transaction(work)
        except _LookedError as looked:
            return looked.facts
        except _NotUsableError as error:
            findings.problems += told(self.where, self.store.table, error.problems)
        except (Rejected, Unavailable) as error:
            if not is_of_the_settings(error):
                raise
            findings.problems += told(self.where, self.store.table, [f"{error}{self._mending(error)}"])
        return None

    def _mending(self, error: TidemarkError) -> str:
        schema = quoted(self.store.table.rpartition(".")[0] or "public")
        mending = {
            "3F000": f"mend it: CREATE SCHEMA {schema}; or correct `table`",
            "42501": f"mend it, for this role: GRANT USAGE, CREATE ON SCHEMA {schema} TO ...",
            "42704": "correct `types`",
        }.get(state_of(error) or "")
        return f"; {mending}" if mending else ""

    @property
    def where(self) -> str:
        """Of the settings."""
        return f"processors.{self.processor.name}.{self.processor.kind}.store.postgresql"

    async def _prepare(self, columns: Wanted, session: Session, *, has_run: bool, is_look: bool) -> SqlFacts:
        await session.run(_ONE_AT_A_TIME)
        table, types = self.store.table, dict(self.store.types or {})
        shape = await describe(session, table)
        is_new = shape is None
        if shape is None:
            await session.run(self._creation(columns))
            shape = await describe(session, table)
        if shape is None:
            raise _NotUsableError(["it was made and is not there"])
        projection = self.processor.projection
        problems = list(
            mismatches(
                shape,
                columns,
                await printed(session, types),
                table=table,
                has_elements=projection is not None and projection.for_each is not None,
            )
        )
        if problems:
            raise _NotUsableError(problems)
        await self._prepare_ledger(session, has_run=has_run, is_new=is_new)
        facts = SqlFacts(
            table=table,
            columns={name: shape.columns[name].type for name in columns.columns},
            fingerprint=fingerprint(self.processor),
        )
        if is_look:
            raise _LookedError(facts)
        return facts

    def _creation(self, columns: Wanted) -> Statement:
        store = self.store
        if not store.create:
            message = (
                "there is no such table, or none that the role can see; create it, or set `create: true`"
            )
            raise _NotUsableError([message])
        if missing := untyped(columns):
            raise _NotUsableError(
                [
                    f"it can't be made, since the type of {name} is not known; say it under `types`"
                    for name in missing
                ]
            )
        made = {name: type_ for name, type_ in columns.columns.items() if type_ is not None}
        owner = {RESERVED: OWNER_TYPE} if columns.has_owner else {}
        limits = {name: "numeric" for name in columns.limits if name not in made}
        return create_table(store.table, {**made, **limits, **owner}, columns.key)

    async def _prepare_ledger(self, session: Session, *, has_run: bool, is_new: bool) -> None:
        ledger = ledger_of(self.store.table)
        shape = await describe(session, ledger)
        if shape is None:
            await session.run(*create_ledger(self.store.table))
        elif shape.lacks:
            raise _NotUsableError([f"its ledger: {lacking(shape, ledger)}"])
        kept, has_entries = await read_owner(session, self.store.table)
        if is_new and has_entries:
            message = (
                f"it is not there, but its ledger {ledger!r} says what is in it, and none of that would be"
                " in a new one; restore the table; or drop the ledger too, and set `start_here: true`, if"
                " changes from here on are enough"
            )
            raise _NotUsableError([message])
        found = None if kept is None else read_owner_text(kept)
        ours = owner_of(self.application, self.processor)
        starts_here = self.processor.start_here
        reason = refusal(found, ours, has_entries=has_entries, has_run=has_run, starts_here=starts_here)
        if reason is not None:
            raise _NotUsableError([f"its ledger {ledger!r}: {reason}"])
        if found != ours:
            await session.run(write_owner(self.store.table, orjson.dumps(ours).decode()))
