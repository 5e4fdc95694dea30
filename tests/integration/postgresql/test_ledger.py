"""A ledger in PostgreSQL: it does not grow for ever, and its table does not go without it."""

import pytest

from consumer.errors import SettingsError
from consumer.processors.ledger.postgresql import PURGE_SECONDS, PURGED_AT_ONCE
from tests.support.changes import put
from tests.support.sql_model import SqlModel, kinds


async def test_more_tombstones_than_are_purged_at_once_are_purged_by_the_next_writes(database: str) -> None:
    now = 1_000_000.0
    model = SqlModel(database, clock=lambda: now)
    async with model.open() as processor:
        model.query(
            "INSERT INTO view_tidemark SELECT 'gone' || at, 1, 'us', '-', 1, '{}', to_timestamp(1)"
            " FROM generate_series(1, $1) AS at",
            PURGED_AT_ONCE + 1,
        )
        now += PURGE_SECONDS
        await kinds(processor, put("a", 5, v="1"))
        assert model.query("SELECT count(*) FROM view_tidemark WHERE expires IS NOT NULL") == [(1,)]
        await kinds(processor, put("b", 5, v="1"))
    assert model.query("SELECT item FROM view_tidemark ORDER BY item") == [("",), ("a",), ("b",)]


@pytest.mark.parametrize("start_here", [False, True])
async def test_a_table_that_was_dropped_is_not_made_anew_beside_a_ledger_that_says_its_rows_are_there(
    database: str,
    start_here: bool,  # noqa: FBT001 - a case of the table
) -> None:
    model = SqlModel(database, start_here=start_here)
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
    model.query("DROP TABLE view")
    with pytest.raises(SettingsError, match="its ledger 'view_tidemark' says what is in it"):
        await model.make(has_run=True)
    assert model.query("SELECT to_regclass('view')") == [(None,)]


async def test_a_ledger_whose_entries_name_rows_by_other_columns_is_refused_even_where_it_starts_here(
    database: str,
) -> None:
    """An item's next change could not take away the rows it has."""
    model = SqlModel(database)
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
    model.query("ALTER TABLE view ADD COLUMN line text, DROP CONSTRAINT view_pkey, ADD UNIQUE (id, line)")
    key = {"id": "keys.id", "line": "new.line"}
    changed = SqlModel(database, {"key": key, "fields": {"v": "new.v"}}, start_here=True)

    with pytest.raises(SettingsError, match="its entries name rows by id, and not by id, line"):
        await changed.make()

    model.query("DROP TABLE view_tidemark")
    async with changed.open() as processor:
        assert await kinds(processor, put("a", 6, v="2", line="7")) == ["applied"]
