"""The gate's rules on a real OpenSearch: one document an item, whatever comes late, twice or out of order."""

import itertools

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, STALE
from consumer.record import Granularity, Image
from tests.integration.opensearch.world import World
from tests.support.changes import put, remove

US, MS = Granularity.MICROSECOND, Granularity.MILLISECOND


def item(value: str) -> Image:
    return {"id": {"S": "a"}, "v": {"S": value}}


def shown(value: str) -> dict[str, object]:
    return {"a": {"id": "a", "item": {"id": "a", "v": value}}}


async def test_a_change_becomes_a_document_and_its_duplicate_is_stale(world: World) -> None:
    processor = world.processor()
    assert await processor.process([put("a", 5, v="1")]) == [APPLIED]
    assert await processor.process([put("a", 5, v="1")]) == [STALE]
    assert await world.shown() == shown("1")
    assert (await world.held())["a"]["_tidemark"] == {
        "v": 5,
        "p": "us",
        "d": (await world.held())["a"]["_tidemark"]["d"],  # type: ignore[index]  # it is JSON
        "o": "a",
    }


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_an_item_ends_with_its_newest_change_in_whatever_order_they_come(
    world: World, order: tuple[int, ...]
) -> None:
    history = [put("a", 1, v="1"), put("a", 2, v="2"), remove("a", 3), put("a", 4, v="4")]
    processor = world.processor()
    for place in order:
        await processor.process([history[place]])
    assert await world.shown() == shown("4")
    for change in history:
        assert await processor.process([change]) == [STALE]
    assert await world.shown() == shown("4")
    assert world.ties == 0


async def test_a_deleted_item_is_a_tombstone_that_no_reader_finds(world: World) -> None:
    processor = world.processor()
    assert await processor.process([put("a", 1, v="1"), remove("a", 2)]) == [APPLIED, APPLIED]
    assert await world.shown() == {}
    (mark,) = [document["_tidemark"] for document in (await world.held()).values()]
    assert mark == {"v": 2, "p": "us", "d": "-", "o": "a", "gone": True, "expires": int(world.now) + 100}
    assert await processor.process([put("a", 1, v="1")]) == [STALE]
    assert await world.shown() == {}
