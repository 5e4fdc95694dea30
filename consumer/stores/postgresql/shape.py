"""What a table is like. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        type: as PostgreSQL prints it: `numeric(12,2)`, `timestamp with time zone`, `text[]`.
        must_be_given: it has to have a value, and PostgreSQL gives it none.
        is_generated: PostgreSQL alone gives it values.
    """

    type: str
    must_be_given: bool
    is_generated: bool


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table.

    Attributes:
        is_table: whether it is one, plain or partitioned, rather than a view or the like.
        columns: by name, in order.
        keys: the columns of each primary key and unique index.
        lacks: which of PRIVILEGES the role does not have on it.
        role: the role that asks.
    """

    is_table: bool
    columns: Mapping[str, Column]
    keys: tuple[frozenset[str], ...]
    lacks: tuple[str, ...]
    role: str
