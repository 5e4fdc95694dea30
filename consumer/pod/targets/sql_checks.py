"""A PostgreSQL table held against the settings; each mismatch with the statement that mends it. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from consumer.attributes import RESERVED
from consumer.expressions import Expression
from consumer.processors.base import fingerprint
from consumer.settings.addresses import SECRETS, SEEN_BY_ALL
from consumer.settings.base import WHOLE
from consumer.settings.context import TableFacts
from consumer.settings.model import Processor
from consumer.stores.postgresql.address import parsed
from consumer.stores.postgresql.names import quoted, quoted_table
from consumer.stores.postgresql.shape import TableShape

OWNER_TYPE = "text"
_KEY_TYPES = {"S": "text", "N": "numeric", "B": "bytea"}
_EXACT = re.compile(r"text|bytea|numeric|smallint|integer|bigint|character varying(\(\d+\))?|uuid")
"""Types in which two keys that differ, differ: elsewhere 2024-01-01 may be one with 2024-01-01T00:00."""


_NUMBER = re.compile(r"numeric(\(\d+,\d+\))?|smallint|integer|bigint")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the table of a processor has to have.

    Attributes:
        key: the key's columns, in the order of the settings.
        columns: every column that is written, the key's first, and the type it is made with; None: nobody can
            tell but the settings' `types`.
        has_owner: whether each row says which item's it is.
        sums: columns that are added to.
        limits: columns of numbers that others write, and sums are held against.
    """

    key: tuple[str, ...]
    columns: Mapping[str, str | None]
    has_owner: bool = True
    sums: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def wanted(processor: Processor, source: TableFacts) -> Wanted:
    """What a processor asks of its table."""
    store = processor.store.postgresql
    types = (store.types if store is not None else None) or {}

    def typed(key: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str | None]:
        defaults = {**{name: _key_type(text, source) for name, text in key.items()}, **others}
        return {name: types.get(name, default) for name, default in defaults.items()}

    aggregate, projection = processor.aggregate, processor.projection
    if aggregate is not None:
        sums, key = tuple(aggregate.add), aggregate.group_by
        limits = tuple(dict.fromkeys((aggregate.warn_above or {}).values()))
        columns = typed(key, dict.fromkeys(sums, "numeric"))
        return Wanted(tuple(key), columns, has_owner=False, sums=sums, limits=limits)
    key = projection.key if projection is not None else {}
    fields = (projection.fields if projection is not None else None) or (WHOLE,)
    return Wanted(tuple(key), typed(key, dict.fromkeys(fields, "jsonb")))


def _key_type(text: str, source: TableFacts) -> str | None:
    path = Expression(text).path
    if path == ("index",):
        return "numeric"
    for name, type_ in source.key_types.items():
        if path == ("keys", name):
            return _KEY_TYPES[type_]
    return None


def check_address(url: str) -> Iterator[str]:
    """What is wrong with an address that stands in the settings themselves, as libpq reads it."""
    if parsed(url).keys() & SECRETS:
        yield SEEN_BY_ALL


def untyped(columns: Wanted) -> list[str]:
    """Columns that can't be made, since nobody says of what type."""
    return [name for name, type_ in columns.columns.items() if type_ is None]


def mismatches(
    shape: TableShape, columns: Wanted, declared: Mapping[str, str], *, table: str, has_elements: bool
) -> Iterator[str]:
    """What keeps a table from being written, a sentence each.

    Args:
        shape: the table's.
        columns: what it has to have.
        declared: the settings' `types`, as PostgreSQL prints them.
        table: its name.
        has_elements: whether an item has several rows.
    """
    if not shape.is_table:
        yield "it is not a table; name one"
        return
    alter = f"ALTER TABLE {quoted_table(table)}"
    if shape.lacks:
        yield lacking(shape, table)
    yield from _columns(shape, columns, declared, alter)
    keys = ", ".join(map(quoted, columns.key))
    if frozenset(columns.key) not in shape.keys:
        yield f"it has no primary key or unique one of exactly {keys}; mend it: {alter} ADD UNIQUE ({keys});"
    for name in columns.key if has_elements else ():
        if name in shape.columns and not _EXACT.fullmatch(shape.columns[name].type):
            yield (
                f"under for_each, two keys may be one in column {quoted(name)} of type"
                f" {shape.columns[name].type}; mend it: {alter} ALTER COLUMN {quoted(name)} TYPE text;"
            )


def lacking(shape: TableShape, table: str) -> str:
    """What the role may not do there."""
    lacks, role = ", ".join(shape.lacks), quoted(shape.role)
    return f"{shape.role} may not {lacks}; mend it: GRANT {lacks} ON {quoted_table(table)} TO {role};"


def _columns(shape: TableShape, columns: Wanted, declared: Mapping[str, str], alter: str) -> Iterator[str]:
    own = {RESERVED: OWNER_TYPE} if columns.has_owner else {}
    written, types = {**columns.columns, **own}, {**declared, **own}
    for name, type_ in written.items():
        column, its_name = shape.columns.get(name), quoted(name)
        if column is None:
            yield f"it has no column {its_name}; mend it: {alter} ADD COLUMN {its_name} {type_ or 'text'};"
        elif column.is_generated:
            yield (
                f"column {its_name} is generated, and takes no values; mend it:"
                f" {alter} ALTER COLUMN {its_name} DROP EXPRESSION;"
            )
        elif name in types and not _is_same(column.type, types[name]):
            yield (
                f"column {its_name} is of type {column.type}, not {types[name]}; mend it: {alter}"
                f" ALTER COLUMN {its_name} TYPE {types[name]}; or correct `types`"
            )
    for name in (*columns.sums, *columns.limits):
        found = shape.columns.get(name)
        if found is None and name not in written:
            yield (
                f"it has no column {quoted(name)}, which `warn_above` names; mend it:"
                f" {alter} ADD COLUMN {quoted(name)} numeric;"
            )
        elif found is not None and not _NUMBER.fullmatch(found.type):
            yield (
                f"column {quoted(name)} is of type {found.type}, in which numbers are not exact; mend it:"
                f" {alter} ALTER COLUMN {quoted(name)} TYPE numeric USING {quoted(name)}::numeric;"
            )
    for name, column in shape.columns.items():
        if column.must_be_given and name not in written:
            yield (
                f"column {quoted(name)} must have a value, and is not written; mend it:"
                f" {alter} ALTER COLUMN {quoted(name)} DROP NOT NULL;"
            )


def _is_same(one: str, other: str) -> bool:
    return "".join(one.lower().split()) == "".join(other.lower().split())


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose ledger it is, and the key's columns, by which its entries name rows; empty: not known."""

    application: str
    processor: str
    fingerprint: str
    key: tuple[str, ...] = ()


def owner_of(application: str, processor: Processor) -> Owner:
    """Whose ledger a processor's is."""
    projection, aggregate = processor.projection, processor.aggregate
    key = aggregate.group_by if aggregate is not None else projection.key if projection is not None else ()
    return Owner(application, processor.name, fingerprint(processor), tuple(key))


def read_owner_text(text: str) -> Owner:
    """What a ledger says, as `orjson.dumps` wrote it."""
    parts = orjson.loads(text)
    return Owner(parts["application"], parts["processor"], parts["fingerprint"], tuple(parts.get("key", ())))


def refusal(
    found: Owner | None, ours: Owner, *, has_entries: bool, has_run: bool, starts_here: bool
) -> str | None:
    """Why a ledger is not to be used, if so.

    Args:
        found: whose it says it is; None: it is new.
        ours: whose it should be.
        has_entries: whether anything was ever written by it.
        has_run: whether the application has settled changes.
        starts_here: whether changes from here on are enough.
    """
    if found is None:
        if has_run and not starts_here:
            return (
                "it is new, but the application has run: what it has settled is not in it. Is the address"
                " another database's? Set it back; or set `start_here: true`, if changes from here on are"
                " enough"
            )
        return None
    if (found.application, found.processor) != (ours.application, ours.processor):
        return (
            f"it belongs to processor {found.processor!r} of application {found.application!r};"
            " choose another table"
        )
    if has_entries and found.key not in ((), ours.key):
        return (
            f"its entries name rows by {', '.join(found.key)}, and not by {', '.join(ours.key)}; take another"
            " table, or drop it together with its ledger, and set `start_here: true`, if changes from here on"
            " are enough"
        )
    if found.fingerprint != ours.fingerprint and has_entries and not starts_here:
        return (
            "it was filled by other settings of this processor; take another table and another"
            " `application`, to begin anew; or set `start_here: true`, if changes from here on are enough"
        )
    return None


def told(where: str, table: str, problems: Iterable[str]) -> list[str]:
    """The problems, each with where it is."""
    return [f"{where}: table {table!r}: {problem}" for problem in problems]
