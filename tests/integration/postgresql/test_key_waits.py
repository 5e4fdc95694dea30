"""Waiting for a row that another item has: what is told of it, and what counts."""

import asyncio

import pytest

from consumer.errors import Unavailable
from tests.support.changes import put
from tests.support.servers.postgresql import PostgreSQLServer
from tests.support.sql_model import SqlModel, change, kinds


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
