"""The positions table on DynamoDB as the sandbox has it."""

import asyncio

import pytest
import pytest_asyncio

from checkpoint.api import Api
from checkpoint.positions import Positions, ProcessorPosition, ShardPosition

AT = ProcessorPosition("49590338271490256608559692538361571095921575989136588898", 3, "blue")


@pytest_asyncio.fixture
async def positions(dynamodb: Api, prefix: str) -> Positions:
    made = Positions(dynamodb, prefix)
    await made.create()
    return made


async def test_the_first_start_is_kept_and_later_ones_are_told_it(positions: Positions) -> None:
    assert await positions.first_start(1_800_000_000.9) == 1_800_000_000
    assert await positions.first_start(1_900_000_000.0) == 1_800_000_000


async def test_pods_that_start_at_once_agree_on_the_first_start(positions: Positions) -> None:
    answers = await asyncio.gather(*(positions.first_start(1_800_000_000.0 + pod) for pod in range(8)))
    assert len(set(answers)) == 1


async def test_no_source_is_known_before_one_is_written(positions: Positions) -> None:
    assert await positions.read_source() is None
    await positions.write_source("changes", "orders")
    assert await positions.read_source() == ("changes", "orders")
    assert await positions.read_all() == []


async def test_no_processors_are_known_before_some_are_written(positions: Positions) -> None:
    assert await positions.read_processors() is None
    first = {"order-view": "blue", "sales": "green"}
    assert await positions.write_processors(first)
    assert await positions.read_processors() == first
    assert await positions.write_processors({"sales": "red"}, first)
    assert await positions.read_processors() == {"sales": "red"}


async def test_processors_take_the_place_of_those_that_were_read_alone(positions: Positions) -> None:
    assert await positions.write_processors({"sales": "green"})
    assert not await positions.write_processors({"sales": "blue"})
    assert not await positions.write_processors({"sales": "blue"}, {"sales": "red"})
    assert await positions.read_processors() == {"sales": "green"}
    assert await positions.write_processors({"sales": "green"}, {"sales": "red"}), "as our own lost answer"


@pytest.mark.parametrize(
    "position",
    [
        ShardPosition("shardId-0", {}, None),
        ShardPosition("shardId-0", {"order-view": AT}, None),
        ShardPosition("shardId-0", {"order-view": AT, "sales": AT}, 1_800_000_000.123),
        ShardPosition("shardId-0", {"order-view": AT}, None, (AT.sequence_number, 2)),
        ShardPosition("shardId-0", {}, 1_800_000_000.0, None, 24),
    ],
)
async def test_a_shard_s_row_comes_back_as_it_was_written(
    positions: Positions, position: ShardPosition
) -> None:
    await positions.write_shard(position)
    assert await positions.read_shard("shardId-0") == position


async def test_a_processor_that_was_removed_is_dropped_by_the_next_write(positions: Positions) -> None:
    await positions.write_shard(ShardPosition("shardId-0", {"order-view": AT, "sales": AT}, 1.0))
    await positions.write_shard(ShardPosition("shardId-0", {"sales": AT}, None))
    assert await positions.read_shard("shardId-0") == ShardPosition("shardId-0", {"sales": AT}, None)


async def test_all_shards_are_read_and_nothing_else_of_the_table(positions: Positions) -> None:
    await positions.first_start(1_800_000_000.0)
    await positions.write_processors({"sales": "red"})
    rows = [ShardPosition(f"shardId-{number}", {"sales": AT}, None) for number in range(3)]
    for row in reversed(rows):
        await positions.write_shard(row)
    assert await positions.read_all() == rows
    assert await positions.read_shard("shardId-1") == rows[1]
