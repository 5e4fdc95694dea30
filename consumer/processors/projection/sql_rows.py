"""A projection's rows as PostgreSQL gets them, and the statements that write them. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import cast

import msgspec

from consumer.attributes import RESERVED, Plain
from consumer.processors.ledger.sql_values import ColumnValues
from consumer.processors.projection.mapping import Row
from consumer.stores.postgresql.names import quoted, quoted_table


class RowWriter:
    """Makes rows' JSON."""

    def __init__(self, columns: ColumnValues) -> None:
        self._columns = columns

    def content(self, row: Row, text: str) -> tuple[bytes, str]:
        """The row but for its owner, and its digest: equal for equal rows. `text` is its key's."""
        key: dict[str, Plain] = {}
        for name, value in row.key.items():
            part = value.get("S")
            if not isinstance(part, str):
                key = self._columns.key(text)  # the number as its text spells it
                break
            key[name] = part
        content = self._columns.encode({**key, **cast("Mapping[str, Plain]", row.fields)})
        return content, blake2b(content, digest_size=16).hexdigest()

    def key(self, text: str) -> bytes:
        """The key of a row, by the text that a ledger holds it under."""
        return self._columns.encode(self._columns.key(text))

    def owned(self, content: bytes, owner: str) -> bytes:
        """A row's or key's JSON with its owner."""
        return b'%b,"%b":%b}' % (content[:-1], RESERVED.encode(), msgspec.json.encode(owner))


class RowStatements:
    """The texts of the statements on one table; `$1` is a recordset."""

    def __init__(self, table: str, key: Sequence[str], fields: Sequence[str], *, adopt: bool) -> None:
        """Compose them.

        Args:
            table: its name.
            key: the key's columns.
            fields: the other columns.
            adopt: take over rows that nobody owns.
        """
        table, owner = quoted_table(table), quoted(RESERVED)
        keys, others = [quoted(name) for name in key], [*map(quoted, fields), owner]
        columns = ", ".join((*keys, *others))
        values = ", ".join(f"x.{name}" for name in (*keys, *others))
        rows = f"json_populate_recordset(NULL::{table}, $1::json) AS x"
        same = " AND ".join(f"held.{name} = x.{name}" for name in keys)
        in_order = ", ".join(f"x.{name}" for name in keys)
        is_ours = f"held.{owner} = excluded.{owner}" + (f" OR held.{owner} IS NULL" if adopt else "")
        changed = ", ".join(f"{name} = excluded.{name}" for name in others)
        self.lock = (
            f"SELECT FROM {table} AS held JOIN {rows} ON {same} ORDER BY {in_order} FOR UPDATE OF held"
        )
        """Lock the rows of these keys that there are."""
        self.delete = f"DELETE FROM {table} AS held USING {rows} WHERE {same} AND held.{owner} = x.{owner}"
        """Delete what is its owner's."""
        self.put = (
            f"INSERT INTO {table} AS held ({columns}) SELECT {values} FROM {rows}"
            f" ORDER BY {in_order} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"
            f" WHERE {is_ours} RETURNING held.{owner}"
        )
        """Write what is free or its owner's; the owner of each row that was written."""
        self.owners = (
            f"SELECT x.{owner}, held.{owner} FROM {table} AS held JOIN {rows} ON {same}"
            f" WHERE held.{owner} IS DISTINCT FROM x.{owner}"
        )
        """Who wants a row that is not theirs, and whose it is."""
