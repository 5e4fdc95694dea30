"""What goes to the sums of a PostgreSQL table, and the statements that add it. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from consumer.errors import Rejected
from consumer.processors.aggregate.sums import Sums, sum_text
from consumer.processors.ledger.sql_values import ColumnValues, recordset
from consumer.stores.postgresql.names import quoted, quoted_table

_SCALED = re.compile(r"numeric\(\d+,(-?\d+)\)")
_WHOLE = ("smallint", "integer", "bigint")


def decimals_of(type_: str) -> int | None:
    """How many decimals a sum's column keeps; None: as many as there are."""
    if type_ in _WHOLE:
        return 0
    found = _SCALED.fullmatch(type_)
    return None if found is None else int(found[1])


class SumRows:
    """Makes the rows that are added."""

    def __init__(self, group_by: Sequence[str], types: Mapping[str, str]) -> None:
        """Take the key's columns, in the order of the settings, and every column's type."""
        self._columns = ColumnValues(group_by, types)
        self._types = types
        self._decimals = {name: decimals_of(type_) for name, type_ in types.items()}

    def see_that_they_fit(self, sums: Sums) -> None:
        """Raises Rejected where a column would round a number, so that the sum would never be right again."""
        for group, named in sums.items():
            for name, number in named.items():
                most = self._decimals[name]
                if most is not None and _decimals(number) > most:
                    message = (
                        f"the sum {name} of group {group} takes {sum_text(number)}, which its column of type"
                        f" {self._types[name]} would round; make it numeric, or round in the expression"
                    )
                    raise Rejected(message, code="SumOutOfRange")

    def to_add(self, sums: Sums) -> str:
        """The parameter that adds these."""
        return recordset(
            self._columns.encode({**self._columns.key(group), **named}) for group, named in sums.items()
        )


def _decimals(number: Decimal) -> int:
    exponent = Decimal(sum_text(number)).as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


class SumStatements:
    """The texts of the statements on one table; `$1` is a recordset."""

    def __init__(
        self,
        table: str,
        group_by: Sequence[str],
        types: Mapping[str, str],
        sums: Sequence[str],
        limits: Iterable[str],
    ) -> None:
        """Compose them.

        Args:
            table: its name.
            group_by: the key's columns.
            types: every column's type.
            sums: the columns that are added to.
            limits: columns that are looked at.
        """
        self._sums = tuple(sums)
        self._types = types
        self._table = quoted_table(table)
        keys, names = [quoted(name) for name in group_by], [quoted(name) for name in sums]
        self._rows = f"json_populate_recordset(NULL::{self._table}, $1::json) AS x"
        self._same = " AND ".join(f"held.{name} = x.{name}" for name in keys)
        key, columns = ", ".join(keys), ", ".join((*keys, *names))
        of_rows = ", ".join(f"x.{name}" for name in keys)
        together = ", ".join(f"coalesce(sum(x.{name}), 0)" for name in names)
        added = ", ".join(f"{name} = coalesce(held.{name}, 0) + excluded.{name}" for name in names)
        group = f"jsonb_build_array({', '.join(f'held.{name}' for name in keys)})"
        shown = ", ".join(f"held.{name}::text" for name in (*names, *map(quoted, limits)))
        self.add = (
            f"INSERT INTO {self._table} AS held ({columns}) SELECT {of_rows}, {together} FROM {self._rows}"
            f" GROUP BY {of_rows} ORDER BY {of_rows} ON CONFLICT ({key}) DO UPDATE SET {added}"
            f" RETURNING {group}::text, {shown}"
        )
        """Add to the groups' sums; of each its key as JSON text, then its sums and limits as they are now."""

    def trial(self, name: str) -> str:
        """What a sum would be, as its column has it: fails where that can't be."""
        column = quoted(name)
        return (
            f"SELECT (coalesce((SELECT held.{column} FROM {self._table} AS held WHERE {self._same}), 0)"
            f" + x.{column})::{self._types[name]} FROM {self._rows}"
        )
