"""What could have been trimmed before it was read is noticed: a shard begins, or parks."""

from collections.abc import Mapping
from typing import Any

import pytest

from checkpoint.api import Answer
from checkpoint.positions import Positions, ShardPosition
from consumer.aws.client import Answer as Said
from consumer.record import Position
from consumer.shard.trimmed import TrimCheck
from tests.support.context import APPLICATION, shard_context

HOUR = 3_600.0
NOW = 1_800_000_000.0
SHARD = "shardId-000000000007"


class Stream:
    """One shard of a stream by what it still holds: None, the shard itself is gone. No lease, no parents."""

    def __init__(self, held: tuple[str, ...] | None, *, was_open_at_trim_horizon: bool = True) -> None:
        self._held = held
        self._listed = [SHARD] if held is not None and was_open_at_trim_horizon else []

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        keys = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
        if operation == "GetItem":
            return Said({}, None)
        if operation == "ListShards":
            return Said(
                {"Shards": [{"ShardId": shard, "HashKeyRange": keys} for shard in self._listed]}, None
            )
        if operation == "GetShardIterator" and self._held is None:
            assert "ResourceNotFoundException" in expect
            return Said({}, "ResourceNotFoundException")
        if operation == "GetShardIterator":
            return Said({"ShardIterator": request.get("StartingSequenceNumber", "0")}, None)
        assert (operation, self._held is None) == ("GetRecords", False)
        left = [number for number in self._held or () if int(number) >= int(request["ShardIterator"])]
        return Said({"Records": [{"SequenceNumber": number} for number in left[:1]]}, None)


async def missing(
    stream: Stream, position: str | None, row: ShardPosition, retention_hours: int = 24
) -> str | None:
    context = shard_context(retention_hours=retention_hours, first_start_at=NOW - 900 * HOUR)
    check = TrimCheck(context, Positions(stream, APPLICATION), stream, stream, clock=lambda: NOW)
    return await check.missing(SHARD, None if position is None else Position(position), row)


def row(
    hours_ago: float | None, *, checkpoint: str | None = "200", retention_hours: int | None = 24
) -> ShardPosition:
    caught_up_at = None if hours_ago is None else NOW - hours_ago * HOUR
    return ShardPosition(
        SHARD, {}, caught_up_at, None if checkpoint is None else (checkpoint, 0), retention_hours
    )


async def test_an_idle_shard_whose_last_record_expired_misses_nothing() -> None:
    assert await missing(Stream(()), "200", row(2)) is None


async def test_a_retention_raised_after_records_were_trimmed_does_not_hide_it() -> None:
    assert await missing(Stream(("300",)), "200", row(48), retention_hours=168) is not None


async def test_a_retention_raised_in_time_is_no_cause_to_park() -> None:
    assert await missing(Stream(("200", "300")), "200", row(48), retention_hours=168) is None
    assert await missing(Stream(()), "200", row(2), retention_hours=168) is None


async def test_a_row_written_before_its_retention_was_kept_goes_by_the_streams() -> None:
    assert await missing(Stream(("300",)), "200", row(2, retention_hours=None)) is None


async def test_a_lease_set_back_to_a_record_that_was_trimmed_is_noticed_however_lately_we_caught_up() -> None:
    assert await missing(Stream(("150", "200")), "100", row(0.1)) is not None
    assert await missing(Stream(("100", "200")), "100", row(0.1)) is None


async def test_a_lease_set_back_to_the_trim_horizon_asks_for_what_there_is() -> None:
    assert await missing(Stream(("150", "200")), None, row(0.1)) is None


async def test_a_shard_that_expired_whole_before_any_of_it_was_checkpointed_is_noticed() -> None:
    assert await missing(Stream(None), None, row(72, checkpoint=None)) is not None


async def test_a_shard_younger_than_all_that_was_trimmed_misses_nothing() -> None:
    stream = Stream(("1",), was_open_at_trim_horizon=False)
    assert await missing(stream, None, row(72, checkpoint=None)) is None


@pytest.mark.parametrize("held", [("300",), None])
async def test_a_time_told_by_a_clock_that_was_ahead_is_not_believed(held: tuple[str, ...] | None) -> None:
    assert await missing(Stream(held), "200", row(-24 * 365)) is not None


async def test_the_clocks_of_two_pods_may_differ_a_little() -> None:
    assert await missing(Stream(()), "200", row(-1 / 60)) is None
