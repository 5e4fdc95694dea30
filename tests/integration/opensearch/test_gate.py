"""The gate's rules on a real OpenSearch: one document an item, whatever comes late, twice or out of order."""

import itertools

import msgspec
import pytest

from consumer.attributes import digest
from consumer.errors import Rejected
from consumer.processors.base import APPLIED, HELD, STALE
from consumer.record import Granularity, Image
from consumer.stores.opensearch.index import Document, Index
from tests.integration.opensearch.world import World
from tests.support.changes import put, remove

MS = Granularity.MILLISECOND


def item(value: str) -> Image:
    return {"id": {"S": "a"}, "v": {"S": value}}


def shown(value: str) -> dict[str, object]:
    return {"a": {"id": "a", "item": {"id": "a", "v": value}}}


async def test_a_change_becomes_a_document_and_its_duplicate_is_stale(world: World) -> None:
    processor = world.processor()
    assert await processor.process([put("a", 5, v="1")]) == [APPLIED]
    assert await processor.process([put("a", 5, v="1")]) == [STALE]
    assert await world.shown() == shown("1")
    mark = (await world.held())["a"]["_tidemark"]
    assert mark == {"v": 5, "p": "us", "d": digest(item("1")), "o": "a"}


async def test_an_item_ends_with_its_newest_change_in_whatever_order_they_come(world: World) -> None:
    processor = world.processor()
    orders = list(itertools.permutations(range(4)))
    for number, order in enumerate(orders):
        name = f"item-{number}"
        history = [put(name, 1, v="1"), put(name, 2, v="2"), remove(name, 3), put(name, 4, v="4")]
        for place in order:
            await processor.process([history[place]])
        assert await processor.process(history) == [STALE] * 4
    found = await world.shown()
    assert (len(found), {document["item"]["v"] for document in found.values()}) == (len(orders), {"4"})
    assert world.ties == 0


async def test_two_changes_of_one_tick_are_settled_by_what_the_source_holds(world: World) -> None:
    processor = world.processor()
    world.hold(item("2"))
    first, second = put("a", 5_000, v="1", granularity=MS), put("a", 5_000, v="2", granularity=MS)
    assert await processor.process([first, second]) == [APPLIED, APPLIED]
    assert (await world.shown(), world.ties) == (shown("2"), 1)
    assert await processor.process([second]) == [STALE]
    mark = (await world.held())["a"]["_tidemark"]
    assert mark == {"v": 5_000, "p": "ms", "d": digest(item("2")), "n": 1, "o": "a"}


@pytest.mark.parametrize("finer_first", [True, False])
async def test_changes_of_two_clocks_in_one_tick_are_a_tie(world: World, *, finer_first: bool) -> None:
    finer, coarser = put("a", 5_003, v="finer"), put("a", 5_000, v="coarser", granularity=MS)
    world.hold(item("truth"))
    order = [finer, coarser] if finer_first else [coarser, finer]
    await world.processor().process(order)
    assert (await world.shown(), world.ties) == (shown("truth"), 1)
    late = put("a", 5_999, v="late")
    assert await world.processor().process([late]) == [APPLIED]
    assert (await world.shown(), world.ties) == (shown("truth"), 2)
    assert await world.processor().process([put("a", 6_000, v="newer")]) == [APPLIED]
    assert await world.shown() == shown("newer")


async def test_a_tie_that_was_settled_too_often_at_one_version_makes_way_for_a_newer_change(
    world: World,
) -> None:
    world.hold(item("2"))
    processor = world.processor()
    await processor.process([put("a", 5_000, v="1", granularity=MS)])
    mark = (await world.held())["a"]["_tidemark"]
    full = Document("a", 5_999 * 1024 + 1023, msgspec.json.encode({"_tidemark": {**mark, "n": 1023}}))
    await Index(world.cluster, world.index).write([full])
    (outcome,) = await processor.process([put("a", 5_000, v="2", granularity=MS)])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == ("TooManyRounds", False)
    assert await processor.process([put("a", 6_000, v="3", granularity=MS)]) == [APPLIED]


async def test_a_foreign_document_of_a_version_as_high_as_ours_is_the_stores_fault(world: World) -> None:
    await Index(world.cluster, world.index).write([Document("a", 1 << 61, b'{"v":"theirs"}')])
    (outcome,) = await world.processor().process([put("a", 5, v="1")])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == ("ForeignRow", True)


async def test_an_item_of_an_old_table_can_be_written_before_all_changes_there_are(world: World) -> None:
    processor = world.processor()
    assert await processor.process([put("a", 0, v="scanned")]) == [APPLIED]
    assert await processor.process([put("a", 0, v="scanned")]) == [STALE]
    assert await processor.process([put("a", 1, v="1"), put("a", 0, v="scanned")]) == [APPLIED, STALE]
    assert await world.shown() == shown("1")


async def test_once_the_process_is_to_end_nothing_is_begun(world: World) -> None:
    assert await world.processor(is_stopping=lambda: True).process([put("a", 5, v="1")]) == [HELD]
    assert await world.held() == {}


async def test_a_deleted_item_is_a_tombstone_that_no_reader_finds(world: World) -> None:
    processor = world.processor()
    assert await processor.process([put("a", 1, v="1"), remove("a", 2)]) == [APPLIED, APPLIED]
    assert await world.shown() == {}
    (mark,) = [document["_tidemark"] for document in (await world.held()).values()]
    assert mark == {"v": 2, "p": "us", "d": "-", "o": "a", "gone": True, "expires": int(world.now) + 100}
    assert await processor.process([put("a", 1, v="1")]) == [STALE]
    assert await world.shown() == {}
