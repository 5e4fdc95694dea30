"""Whose the rows are that an item waits for in PostgreSQL, and whether the others claim them still."""

from collections.abc import Collection, Sequence
from typing import cast

import orjson

from consumer.attributes import RESERVED
from consumer.processors.ledger.sql_table import ledger_of
from consumer.processors.ledger.sql_values import recordset
from consumer.processors.projection.owners import Owners
from consumer.processors.projection.sql_rows import RowWriter
from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Database, Session
from consumer.stores.postgresql.names import quoted, quoted_table


class SqlOwners:
    """Looks them up, of one table."""

    def __init__(
        self, database: Database, table: str, key: Sequence[str], writer: RowWriter, owners: Owners
    ) -> None:
        """Take the table's name, its key's columns, and what tells of items by the source."""
        self._database = database
        self._writer = writer
        self._owners = owners
        owner = quoted(RESERVED)
        same = " AND ".join(f"held.{name} = x.{name}" for name in map(quoted, key))
        self._text = (
            f"SELECT DISTINCT held.{owner}, entry.holds::text FROM {quoted_table(table)} AS held"
            f" JOIN json_populate_recordset(NULL::{quoted_table(table)}, $1::json) AS x ON {same}"
            f" JOIN {quoted_table(ledger_of(table))} AS entry ON entry.item = held.{owner}"
            f" WHERE held.{owner} <> x.{owner}"
        )

    async def are_claimed(self, item: str, texts: Collection[str]) -> bool:
        """Whether one of the rows, by the texts of their keys, is another item's that does not give it up.

        Types may take keys of different texts for one, as citext does: who waits for another spelling waits
        as long as the owner has any row to give up.

        Args:
            item: the one that waits, as its rows name it.
            texts: of the rows it should have.

        Raises:
            Unavailable: PostgreSQL or the source can't be asked now.
        """
        keys = recordset(self._writer.owned(self._writer.key(text), item) for text in texts)

        async def look(session: Session) -> Sequence[tuple[str, str]]:
            (found,) = await session.run(Statement(self._text, (keys,)))
            return cast("Sequence[tuple[str, str]]", found)

        for owner, holds in await self._database.transaction(look):
            rows = await self._owners.rows(owner)
            if rows is None:
                return True
            has = {row.text for row in rows}
            if not has.isdisjoint(texts) or has.issuperset(orjson.loads(holds)):
                return True
        return False
