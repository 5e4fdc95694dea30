"""The end of a shard: everything in it is settled before KCL lets its children begin."""

import select
from collections.abc import Iterator

import pytest

from consumer.shard.lanes import LanePolicy
from tests.support.multilang import (
    SHARD_ENDED,
    ScriptedDaemon,
    process_records,
)
from tests.unit.shard.tenure_rig import records, settled, tenure_of


async def test_an_ended_shard_is_checkpointed_bare_once_all_of_it_is_settled(script: ScriptedDaemon) -> None:
    async with tenure_of(script, interval=1_000.0) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a", "b", "c")))
        script.send(SHARD_ENDED)
        shard.processor.let_go("a", "c")
        await settled(shard, 2)
        assert script.is_silent()
        shard.processor.let_go("b")
        assert await shard.says(script.serve, "shardEnded") == [None]
        assert script.checkpoints == [(None, None)]
        assert (shard.delivery.accepted, shard.delivery.finished) == ([None], 1)


@pytest.mark.parametrize("fills_the_window", [True, False])
async def test_while_an_answer_is_held_no_lane_waits_for_its_batch_to_fill(
    script: ScriptedDaemon,
    fills_the_window: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for_days = LanePolicy(lanes=8, batch_size=100, batching_window=300_000.0)
    names = "abcd" if fills_the_window else "abc"
    async with tenure_of(script, policy=for_days) as shard:
        shard.processor.let_go()
        await shard.begin()
        await shard.says(script.exchange, process_records(records(*names)))
        if not fills_the_window:
            script.send(SHARD_ENDED)
            await shard.says(script.serve, "shardEnded")
        await settled(shard, len(names))


async def test_the_end_of_a_shard_is_asked_for_until_kcl_takes_it(script: ScriptedDaemon) -> None:
    verdicts: Iterator[str | None] = iter(
        ["ThrottlingException", "KinesisClientLibDependencyException", None]
    )
    async with tenure_of(script) as shard:
        await shard.begin()
        asked = await shard.says(script.exchange, SHARD_ENDED, lambda _: next(verdicts))
        assert asked == [None, None, None]
        assert shard.delivery.accepted == [None]


async def test_a_wake_up_left_over_does_not_make_a_refused_end_be_asked_for_without_pause(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        script.send(SHARD_ENDED)
        asked = await shard.says(script.receive)
        shard.delivery.window.wake()
        await shard.says(script.settle_checkpoint, asked, lambda _: "ThrottlingException")
        asked = await shard.says(script.receive)
        assert not select.select([shard.delivery.window.wake_reader], [], [], 0)[0]
        await shard.says(script.settle_checkpoint, asked)
        await shard.says(script.serve, "shardEnded")


async def test_an_ended_shard_whose_lease_is_lost_is_let_go(script: ScriptedDaemon) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, SHARD_ENDED, lambda _: "ShutdownException")
        assert (shard.delivery.is_lease_lost, shard.delivery.accepted) == (True, [])


async def test_an_ended_shard_with_a_record_that_waits_is_let_go_by_a_drain_and_not_checkpointed_as_ended(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a", "b")))
        script.send(SHARD_ENDED)
        shard.processor.let_go("a")
        asked = await shard.says(script.receive)
        assert asked["sequenceNumber"] == "1"
        await shard.says(script.settle_checkpoint, asked)
        shard.delivery.stop(lease_lost=False)
        await shard.says(script.serve, "shardEnded")
        assert (None, None) not in script.checkpoints
