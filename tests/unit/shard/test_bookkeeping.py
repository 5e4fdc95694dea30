"""When a shard was last caught up, never later than is known; and how far each processor is, never back."""

from io import BytesIO
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from checkpoint.control import Control
from checkpoint.positions import SUFFIX, Positions, ProcessorPosition, ShardPosition, Stopped
from consumer.log import open_log
from consumer.metrics import Metrics
from consumer.processors.base import fingerprint
from consumer.record import Position
from consumer.shard.bookkeeping import Bookkeeper, Books
from consumer.shard.brake import Brake
from consumer.shard.standstill import Standstill
from consumer.shard.window import Window
from tests.support.changes import in_stream
from tests.support.context import APPLICATION, shard_context
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table
from tests.unit.shard.rig import HeldProcessor, Letters, make_path

VIEW = fingerprint(shard_context().settings.processors[0])
NOW = 1_800_000_000.0


def books(caught_up_at: float | None, *, replay: bool = False) -> Books:
    row = ShardPosition("shardId-0", {}, caught_up_at, ("200", 0))
    return Books("shardId-0", row, parked=None, replay=replay)


def hear_the_end(kept: Books, accepted: int, *, until: float) -> None:
    """As many messages as KCL may have fetched ahead, a second apart."""
    for second in range(6):
        kept.heard(until - 5 + second, 0, accepted)


def test_a_shard_is_caught_up_as_of_the_oldest_message_that_may_have_been_fetched_ahead() -> None:
    kept = books(None)
    hear_the_end(kept, 3, until=NOW)
    kept.settled(2)
    assert kept.caught_up_at is None
    kept.settled(3)
    assert kept.caught_up_at == NOW - 5


def test_a_time_told_by_a_clock_that_was_ahead_is_forgotten_at_the_next_one() -> None:
    kept = books(NOW + 365 * 86_400)
    hear_the_end(kept, 0, until=NOW)
    kept.settled(0)
    assert kept.caught_up_at == NOW - 5


def test_a_shard_that_is_replayed_is_caught_up_only_once_it_has_been_again() -> None:
    assert books(NOW, replay=True).caught_up_at is None
    assert books(NOW).caught_up_at == NOW


@pytest.mark.parametrize(
    ("begins_at", "noted"), [("300", ("300", 0)), ("100", ("100", 0)), (None, ("200", 0))]
)
def test_a_shard_is_where_kcl_begins_whatever_a_process_that_died_had_noted(
    begins_at: str | None, noted: tuple[str, int]
) -> None:
    row = ShardPosition("shardId-0", {}, None, ("200", 0))
    position = None if begins_at is None else Position(begins_at)
    assert Books("shardId-0", row, parked=None, position=position).checkpoint == noted


async def written(before: ProcessorPosition, *settled: int, replay: bool = False) -> str:
    """The view's place in the row, once a tenure that began at place 2 has settled these."""
    window = Window(records=100, size=1_000_000)
    path = make_path({"view": HeldProcessor()}, window, Letters())
    path.frontier.accept([in_stream(b"", number) for number in settled])
    path.frontier.settle("view", range(len(settled)))
    row = ShardPosition("shardId-0", {"view": before}, None, ("2", 0))
    positions = Positions(InMemoryDynamoDB({APPLICATION + SUFFIX: Table("key")}), APPLICATION)
    bookkeeper = Bookkeeper(
        shard_context(),
        path,
        Books("shardId-0", row, parked=None, replay=replay),
        Metrics(CollectorRegistry()),
        positions,
        Path(),
        open_log(BytesIO()),
        Standstill(shard_context(), path, {}),
    )
    await bookkeeper.write_positions()
    found = await positions.read_shard("shardId-0")
    assert found is not None
    return found.processors["view"].sequence_number


async def test_a_processor_that_was_ahead_stays_so_while_its_records_come_again() -> None:
    assert await written(ProcessorPosition("10", 0, VIEW), 3, 4) == "10"
    assert await written(ProcessorPosition("10", 0, VIEW), 10, 11) == "11"
    assert await written(ProcessorPosition("9", 0, VIEW), 10) == "10"


async def test_where_a_processor_was_with_other_settings_says_nothing() -> None:
    assert await written(ProcessorPosition("10", 0, "other settings"), 3) == "3"


async def test_a_processor_that_is_replayed_is_where_the_replay_is() -> None:
    assert await written(ProcessorPosition("10", 0, VIEW), 3, replay=True) == "3"


async def test_that_a_processor_stands_still_is_told_again_over_what_a_process_without_the_lease_wrote() -> (
    None
):
    path = make_path({"view": HeldProcessor()}, Window(records=100, size=1_000_000), Letters())
    standstill = Standstill(shard_context(), path, {"view": Brake(None, is_stopping=lambda: False)})
    standstill.heed({"view": Control(phase="stop", token="t", into="view-2")})  # noqa: S106 - no secret
    positions = Positions(InMemoryDynamoDB({APPLICATION + SUFFIX: Table("key")}), APPLICATION)
    kept = Books("shardId-0", None, parked=None)
    metrics, log = Metrics(CollectorRegistry()), open_log(BytesIO())
    bookkeeper = Bookkeeper(shard_context(), path, kept, metrics, positions, Path(), log, standstill)
    await bookkeeper.write_positions()
    await positions.write_shard(ShardPosition("shardId-0", {}, None))

    await bookkeeper.write_positions()

    row = await positions.read_shard("shardId-0")
    assert row is not None
    assert row.stopped == {"view": Stopped("t", "pod-0", None)}
