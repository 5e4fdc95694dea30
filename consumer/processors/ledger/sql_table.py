"""A ledger's PostgreSQL table: how it is made, and whose it says it is."""

from typing import cast

from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Session
from consumer.stores.postgresql.names import quoted_table

SUFFIX = "_tidemark"
"""What is added to a table's name to have its ledger's."""


def ledger_of(table: str) -> str:
    """The ledger's name, of the name of a read model's table."""
    return f"{table}{SUFFIX}"


def create_ledger(table: str) -> tuple[Statement, ...]:
    """Make the ledger of a read model's table: see postgresql.py for its columns.

    It is updated far more than it grows: the room left in each page keeps an entry's versions together.
    """
    name = quoted_table(ledger_of(table))
    return (
        Statement(
            f'CREATE TABLE {name} (item text COLLATE "C" PRIMARY KEY, v bigint, p text, d text, n bigint,'
            " holds jsonb, expires timestamptz) WITH (fillfactor = 80)"
        ),
        # PostgreSQL names it: a cut-over renames the table alone, and the next ledger has one too.
        Statement(f"CREATE INDEX ON {name} (expires) WHERE expires IS NOT NULL"),
    )


async def read_owner(session: Session, table: str) -> tuple[str | None, bool]:
    """Whose a ledger says it is, as the JSON text that was written; and whether it has any entries."""
    name = quoted_table(ledger_of(table))
    owners, entries = await session.run(
        Statement(f"SELECT holds::text FROM {name} WHERE item = ''"),
        Statement(f"SELECT 1 FROM {name} WHERE item <> '' LIMIT 1"),
    )
    return (cast("str", owners[0][0]) if owners else None), bool(entries)


def write_owner(table: str, owner: str) -> Statement:
    """Keep whose it is, as JSON text with a `fingerprint` in it."""
    return Statement(
        f"INSERT INTO {quoted_table(ledger_of(table))} (item, holds) VALUES ('', $1::jsonb)"
        " ON CONFLICT (item) DO UPDATE SET holds = excluded.holds",
        (owner,),
    )
