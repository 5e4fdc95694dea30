"""What a table is, by PostgreSQL's own catalog ("System Catalogs": pg_attribute, pg_index)."""

from collections.abc import Iterable, Mapping
from typing import cast

from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Session
from consumer.stores.postgresql.names import quoted, quoted_table
from consumer.stores.postgresql.shape import PRIVILEGES, Column, TableShape

_TABLE = (
    "SELECT c.oid, c.relkind IN ('r', 'p'), current_user FROM pg_class AS c WHERE c.oid = to_regclass($1)"
)
_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod),
        attnotnull AND NOT atthasdef AND attidentity = '', attgenerated <> ''
    FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_KEYS = """
    SELECT array_agg(a.attname::text) FROM pg_index AS i
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1])
    WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
        AND i.indpred IS NULL AND i.indexprs IS NULL
    GROUP BY i.indexrelid"""
_LACKS = "SELECT p FROM unnest($2::text[]) AS p WHERE NOT has_table_privilege($1::oid, p)"


async def describe(session: Session, table: str) -> TableShape | None:
    """What stands at a name, `table` or `schema.table`; None: nothing, or nothing that the role can see."""
    (found,) = await session.run(Statement(_TABLE, (quoted_table(table),)))
    if not found:
        return None
    ((oid, is_table, role),) = cast("list[tuple[int, bool, str]]", found)
    columns, keys, lacks = await session.run(
        Statement(_COLUMNS, (oid,)), Statement(_KEYS, (oid,)), Statement(_LACKS, (oid, list(PRIVILEGES)))
    )
    return TableShape(
        is_table,
        {
            name: Column(type_, must_be_given, is_generated)
            for name, type_, must_be_given, is_generated in cast("list[tuple[str, str, bool, bool]]", columns)
        },
        tuple(frozenset(cast("list[str]", row[0])) for row in keys),
        tuple(cast("str", row[0]) for row in lacks),
        role,
    )


async def printed(session: Session, types: Mapping[str, str]) -> dict[str, str]:
    """Types by name as PostgreSQL prints them: `varchar(20)` is `character varying(20)`."""
    if not types:
        return {}
    columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in types.items())
    text = f"SELECT * FROM json_to_recordset('[]'::json) AS x({columns})"
    found = await session.types(Statement(text))
    (rows,) = await session.run(
        Statement(
            "SELECT format_type(t, m) FROM unnest($1::oid[], $2::int[]) AS x(t, m)",
            ([type_ for type_, _ in found], [modifier for _, modifier in found]),
        )
    )
    return dict(zip(types, (cast("str", row[0]) for row in rows), strict=True))


def create_table(table: str, columns: Mapping[str, str], key: Iterable[str]) -> Statement:
    """Make a table of these columns and types, with this primary key."""
    parts = [f"{quoted(name)} {type_}" for name, type_ in columns.items()]
    parts.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
    return Statement(f"CREATE TABLE {quoted_table(table)} ({', '.join(parts)})")
