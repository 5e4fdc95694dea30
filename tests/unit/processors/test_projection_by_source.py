"""A change that is older than tombstones live is settled by what the source holds now."""

import pytest

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, STALE, StateProcessor
from consumer.record import Granularity, Image
from tests.support.changes import put, remove
from tests.unit.processors.test_projection_processor import Away, World, item, shown

MS = Granularity.MILLISECOND
DAY = 86_400.0


@pytest.fixture
def world() -> World:
    return World()


async def test_an_item_that_was_deleted_since_does_not_come_back(world: World) -> None:
    outcomes = await world.processor().settle_by_source([put("a", 5, v="old")])
    assert outcomes == [APPLIED]
    assert shown(world.view.row(id="a")) == {"id": {"S": "a"}}


async def test_what_the_source_holds_is_written_at_the_old_changes_version(world: World) -> None:
    world.source.put(item("now"))
    processor = world.processor()
    assert await processor.settle_by_source([put("a", 5, v="old")]) == [APPLIED]
    row = world.view.row(id="a")
    assert row is not None
    assert (shown(row), row[RESERVED]["M"]) == (item("now"), {**_mark(row), "v": {"N": "5"}})
    assert await processor.process([put("a", 6, v="newer")]) == [APPLIED]
    assert shown(world.view.row(id="a")) == item("newer")


def _mark(row: Image) -> dict[str, object]:
    mark = row[RESERVED]["M"]
    assert isinstance(mark, dict)
    return mark


async def test_an_old_delete_does_not_take_away_what_was_written_again(world: World) -> None:
    world.source.put(item("again"))
    assert await world.processor().settle_by_source([remove("a", 5)]) == [APPLIED]
    assert shown(world.view.row(id="a")) == item("again")


async def test_a_newer_row_stays_as_it_is(world: World) -> None:
    world.source.put(item("now"))
    processor = world.processor()
    await processor.process([put("a", 6, v="newer")])
    assert await processor.settle_by_source([put("a", 5, v="old")]) == [STALE]
    assert shown(world.view.row(id="a")) == item("newer")


async def test_a_row_of_the_same_version_is_settled_as_a_tie_is(world: World) -> None:
    processor = world.processor()
    await processor.process([put("a", 5_000, v="old", granularity=MS)])
    world.source.put(item("now"))
    assert await processor.settle_by_source([put("a", 5_000, v="old", granularity=MS)]) == [APPLIED]
    assert shown(world.view.row(id="a")) == item("now")


async def test_a_source_item_that_left_the_condition_is_a_delete(world: World) -> None:
    world.source.put(item("out"))
    processor = world.processor(when="new.v != 'out'")
    assert await processor.settle_by_source([put("a", 5, v="in")]) == [APPLIED]
    assert shown(world.view.row(id="a")) == {"id": {"S": "a"}}


async def test_where_the_source_may_not_be_read_the_change_is_rejected_with_what_to_do(world: World) -> None:
    (outcome,) = await world.processor(readable=False).settle_by_source([put("a", 5, v="old")])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, "dynamodb:GetItem" in str(outcome.error)) == ("PastHorizon", True)
    assert world.dynamodb.calls == []


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
async def test_a_store_that_is_away_is_waited_for(world: World, operation: str) -> None:
    away = world.processor(client=Away(world.dynamodb, operation))
    (outcome,) = await away.settle_by_source([put("a", 5, v="old")])
    assert isinstance(outcome.error, Unavailable)


@pytest.mark.parametrize(
    ("ttl_attribute", "retention_days", "readable", "last"),
    [
        pytest.param("expires", 14, True, DAY, id="some tombstones may be from before it was lengthened"),
        pytest.param("expires", 14, False, 14 * DAY, id="nobody can look at the source"),
        pytest.param(None, 14, True, DAY, id="TTL may have been on, and some tombstones be gone by it"),
        pytest.param(None, 14, False, None, id="they don't expire, and nobody can look at the source"),
    ],
)
def test_a_projection_tells_how_long_it_surely_remembers_a_deletion(
    world: World, ttl_attribute: str | None, retention_days: int, last: float | None, *, readable: bool
) -> None:
    processor = world.processor(
        ttl_attribute=ttl_attribute, readable=readable, tombstone_seconds=retention_days * DAY
    )
    assert isinstance(processor, StateProcessor)
    assert processor.tombstones_last == last
