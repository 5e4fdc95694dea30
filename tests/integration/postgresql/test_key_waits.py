"""Waiting for a row that another item has: what is told of it, and what counts."""

import asyncio

import pytest

from consumer.errors import Unavailable
from consumer.record import Image
from tests.support.changes import put
from tests.support.in_memory_dynamodb import Table
from tests.support.servers.postgresql import PostgreSQLServer
from tests.support.sql_model import SqlModel, change, image, kinds


async def test_a_long_order_that_waits_for_a_key_is_told_in_few_words(database: str) -> None:
    settings = {"key": {"sku": "item.sku"}, "fields": {"id": "keys.id"}, "for_each": "new.lines"}
    model = SqlModel(database, settings, store={"types": {"sku": "text", "id": "text"}})
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"lines": [{"sku": "000"}]}))
        many = change("b", 6, {"lines": [{"sku": f"{number:03d}"} for number in range(120)]})
        (outcome,) = await processor.process([many])
    words = 'the row [["S","000"]] or [["S","001"]] or [["S","002"]] or one of 117 others of \'view\' belongs'
    assert words in str(outcome.error)


async def test_an_outage_is_no_part_of_a_wait_for_a_key(postgresql: PostgreSQLServer, database: str) -> None:
    now = 1_000.0
    taken = put("b", 6, place="p")
    settings = {"key": {"place": "new.place"}, "fields": {"id": "keys.id"}, "key_wait": "10s"}
    places = SqlModel(database, settings, store={"types": {"place": "text", "id": "text"}})
    places.source.put(image("a", {"place": "p"}))
    async with places.open(clock=lambda: now) as processor:
        await kinds(processor, put("a", 5, place="p"))
        assert await kinds(processor, taken) == ["KeyTaken"]
        now += 9
        await asyncio.to_thread(postgresql.stop)
        with pytest.raises(Unavailable, match="PostgreSQL"):
            await processor.process([taken])
        now += 100
        await asyncio.to_thread(postgresql.start)
        assert await kinds(processor, taken) == ["KeyTaken"]
        now += 1
        assert await kinds(processor, taken) == ["KeyNotUnique"]


async def ends_of_a_wait(model: SqlModel, mine: str, other: str) -> list[str]:
    """What is said of b, which wants a place that a has: before and after its wait, and once a left it."""
    now = 1_000.0
    taken = put("b", 6, place=mine)
    async with model.open(clock=lambda: now) as processor:
        await kinds(processor, put("a", 5, place=other), put("c", 5, place="s"))
        ends = await kinds(processor, taken)
        now += 60
        ends += await kinds(processor, taken, put("c", 6, place="s"))
        await kinds(processor, put("a", 7, place="q"))
        return [*ends, *await kinds(processor, taken)]


@pytest.mark.parametrize(
    ("now", "end"), [("q", "KeyTaken"), (None, "KeyTaken"), ("p", "KeyNotUnique")], ids=str
)
async def test_a_key_is_waited_for_while_its_owner_has_it_no_more_in_the_source(
    database: str, now: str | None, end: str
) -> None:
    settings = {"key": {"place": "new.place"}, "fields": {"id": "keys.id"}}
    places = SqlModel(database, settings, store={"types": {"place": "text", "id": "text"}})
    if now is not None:
        places.source.put(image("a", {"place": now}))
    assert await ends_of_a_wait(places, "p", "p") == ["KeyTaken", end, "applied", "applied"]


@pytest.mark.parametrize(("now", "end"), [("p", "KeyNotUnique"), ("q", "KeyTaken")])
async def test_a_key_in_another_spelling_that_the_column_takes_for_the_same_is_claimed(
    database: str, now: str, end: str
) -> None:
    settings = {"key": {"place": "new.place"}, "fields": {"id": "keys.id"}}
    padded = SqlModel(database, settings, store={"types": {"place": "character(3)", "id": "text"}})
    padded.source.put(image("a", {"place": now}))
    assert await ends_of_a_wait(padded, "p ", "p") == ["KeyTaken", end, "applied", "applied"]


class Silent(Table):
    """A source that gives no answer."""

    def get(self, item: Image) -> Image | None:
        raise Unavailable(f"no answer came of {item}", code="TimeoutError")


async def test_a_source_that_can_not_be_read_holds_up_the_item_that_waits_and_no_other(
    database: str,
) -> None:
    settings = {"key": {"place": "new.place"}, "fields": {"id": "keys.id"}, "key_wait": "0s"}
    places = SqlModel(database, settings, store={"types": {"place": "text", "id": "text"}})
    places.source = Silent("id")
    async with places.open() as processor:
        await kinds(processor, put("a", 5, place="p"))
        assert await kinds(processor, put("b", 6, place="p"), put("c", 6, place="q")) == [
            "TimeoutError",
            "applied",
        ]
