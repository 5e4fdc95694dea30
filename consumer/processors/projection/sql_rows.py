"""Rows as the JSON that PostgreSQL makes them of, and the statements that write them. Pure.

A batch's rows are one parameter, whatever their columns' types: json_populate_recordset gives each JSON text,
number, list or object to the input function of the column's own type. Numbers stay text until then, so that
all their digits arrive (PostgreSQL documentation, "JSON Functions and Operators").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import cast

import msgspec

from consumer.attributes import RESERVED, Plain
from consumer.processors.keys import plain_key_values
from consumer.processors.projection.mapping import Row
from consumer.stores.postgresql.names import quoted, quoted_table


class RowWriter:
    """Makes rows' JSON, for columns of known types."""

    def __init__(self, key: Sequence[str], types: Mapping[str, str]) -> None:
        """Take the key's columns, in the order of the settings, and every column's type."""
        self._key = tuple(key)
        self._forms = {name: form for name, type_ in types.items() if (form := _form_of(type_)) is not None}
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    def content(self, row: Row) -> tuple[bytes, str]:
        """The row but for its owner, and its digest: equal for equal rows."""
        values = {**self._key_values(row.text), **cast("Mapping[str, Plain]", row.fields)}
        content = self._encode(self._formed(values))
        return content, blake2b(content, digest_size=16).hexdigest()

    def key(self, text: str) -> bytes:
        """The key of a row, by the text that a ledger holds it under."""
        return self._encode(self._formed(self._key_values(text)))

    def _key_values(self, text: str) -> dict[str, Plain]:
        """Numbers as they are mostly written, in a column of texts too: 100 and not 1E+2."""
        values = (
            (Decimal(f"{value:f}") if isinstance(value, Decimal) else value)
            for value in plain_key_values(text)
        )
        return dict(zip(self._key, values, strict=True))

    def owned(self, content: bytes, owner: str) -> bytes:
        """A row's or key's JSON with its owner."""
        return b'%b,"%b":%b}' % (content[:-1], RESERVED.encode(), self._encode(owner))

    def _formed(self, values: Mapping[str, Plain]) -> Mapping[str, object]:
        if not self._forms:
            return values
        return {
            name: self._forms[name](value) if name in self._forms and value is not None else value
            for name, value in values.items()
        }


def recordset(rows: Iterable[bytes]) -> str:
    """The parameter of many rows."""
    return f"[{b','.join(rows).decode()}]"


def _form_of(type_: str) -> Callable[[Plain], object] | None:
    element = type_.removesuffix("[]")
    form = _FORMS.get(element)
    if form is None or element == type_:
        return form
    return lambda value: [form(part) for part in value] if isinstance(value, list) else value


def _binary(value: Plain) -> object:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _whole(value: Plain) -> object:
    """1E+2 and 5.0 are whole numbers, which PostgreSQL's integers don't take in this spelling."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


_FORMS: Mapping[str, Callable[[Plain], object]] = {
    "bytea": _binary,
    "smallint": _whole,
    "integer": _whole,
    "bigint": _whole,
}
"""What is written otherwise than JSON writes it, by the column's type."""


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
