"""docs/postgresql.md done step by step on a real server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import errors

from consumer.record import ChangeRecord, Image
from consumer.settings.context import TableFacts
from consumer.settings.load import load_settings
from consumer.shard.envelopes import decode
from consumer.stores.postgresql.faults import is_of_the_record
from tests.support.changes import envelope, in_stream
from tests.support.pages import ROOT, blocks, code, rows
from tests.support.sql_model import SqlModel, kinds, query

PAGE = ROOT / "docs" / "postgresql.md"
ROLE, TABLE, READ = (block.text for block in blocks(PAGE, "sql"))
ORDERS = TableFacts(name="orders", region="r", partition_key="orderId", key_types={"orderId": "S"})


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """A name for the page's role, which is all servers' databases'."""
    name = f"tidemark_{database.rpartition('_')[2]}"
    yield name
    query(database, f"DROP OWNED BY {name}")
    query(database, f"DROP ROLE {name}")


def run(url: str, text: str, role: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for statement in re.sub(r"\btidemark\b", role, text).split(";\n"):
        if statement.strip():
            found = query(url, statement.strip().removesuffix(";"))
    return found


def model(index: int, url: str, tmp_path: Path) -> SqlModel:
    """The processor of one of the page's settings."""
    file = tmp_path / "tidemark.yaml"
    file.write_text(blocks(PAGE, "yaml")[index].text, encoding="utf-8")
    settings = load_settings(file)
    (processor,) = settings.processors
    kind = processor.projection or processor.aggregate
    store = processor.store.postgresql
    assert kind is not None
    assert store is not None
    return SqlModel(
        url,
        kind.model_dump(mode="json", exclude_unset=True, exclude={"store"}),
        processor.kind,
        store.model_dump(exclude_unset=True, exclude={"url_env"}),
        processor.name,
        settings.application,
        ORDERS,
    )


def order(micros: int) -> ChangeRecord:
    new: Image = {
        "orderId": {"S": "A-1"},
        "totalPrice": {"N": "12.50"},
        "createdAt": {"S": "2099-01-01T10:00:00Z"},
        "tags": {"SS": ["a", "b"]},
    }
    return decode(in_stream(envelope("INSERT", {"orderId": {"S": "A-1"}}, micros, new=new)))


async def test_the_page_is_right_from_the_role_to_the_reader(
    database: str, role: str, tmp_path: Path
) -> None:
    run(database, ROLE, role)
    ours = model(0, database.replace("postgres@", f"{role}@"), tmp_path)
    async with ours.open() as processor:  # makes the table
        assert await kinds(processor, order(5)) == ["applied"]
    assert run(database, READ, role)[0][0] == "A-1"
    query(database, "DROP TABLE shop.orders, shop.orders_tidemark")
    run(database, TABLE, role)
    async with ours.open() as processor:
        assert await kinds(processor, order(5)) == ["applied"]
    assert len(run(database, READ, role)) == 1


async def test_the_page_shows_what_is_told_of_a_mismatch(database: str, role: str, tmp_path: Path) -> None:
    run(database, ROLE, role)
    run(database, TABLE, role)
    query(database, "ALTER TABLE shop.orders DROP COLUMN tags")
    _, (problem,) = await model(0, database, tmp_path).look()
    (shown,) = blocks(PAGE, "text")
    assert shown.text == f"{problem}\n"


async def test_the_pages_sums_are_kept(database: str, role: str, tmp_path: Path) -> None:
    run(database, ROLE, role)
    async with model(1, database, tmp_path).open() as processor:
        assert await kinds(processor, order(5)) == ["applied"]
    assert query(database, "SELECT day::text, orders, revenue::text FROM shop.sales") == [
        ("2099-01-01", 1, "12.50")
    ]


def test_each_code_that_is_told_is_one_of_a_record() -> None:
    told = [name for row in rows(PAGE, "What goes wrong") for name in code(row[0])]
    assert told[-1] == "KeyNotUnique"
    for name in told[:-1]:
        assert is_of_the_record(getattr(errors, name)())
