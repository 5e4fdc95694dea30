"""The protocol thread against a scripted daemon."""

from collections.abc import Iterator, Sequence

import pytest

from checkpoint.checkpointer import CheckpointRefusedError
from consumer.record import Position, StreamRecord
from tests.support.changes import in_stream
from tests.support.multilang import (
    LEASE_LOST,
    SHARD_ENDED,
    SHUTDOWN_REQUESTED,
    ScriptedDaemon,
    initialize,
    process_records,
)
from tests.unit.shard.rig import item, until
from tests.unit.shard.tenure_rig import WINDOW_RECORDS, records, settled, tenure_of


@pytest.mark.parametrize(
    ("sequence_number", "position"),
    [
        ("TRIM_HORIZON", None),
        ("LATEST", None),
        ("AT_TIMESTAMP", None),
        (None, None),
        ("49590338271490256608", Position("49590338271490256608", 0)),
    ],
)
async def test_a_shard_begins_at_its_sequence_number_or_at_a_sentinel(
    script: ScriptedDaemon, sequence_number: str | None, position: Position | None
) -> None:
    async with tenure_of(script) as shard:
        assert await shard.says(script.exchange, initialize(sequence_number)) == []
        assert shard.delivery.begun == [("shardId-000000000000", position)]


async def test_a_batch_is_answered_before_it_is_delivered(script: ScriptedDaemon) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        assert await shard.says(script.exchange, process_records(records("a", "b"), 70)) == []
        assert (shard.processor.applied, shard.delivery.heard) == ([], [70])


async def test_an_idle_streams_empty_message_checkpoints_what_was_delivered_since(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a", "b")))
        shard.processor.let_go()
        await settled(shard, 2)
        assert await shard.says(script.exchange, process_records([])) == ["2"]
        assert await shard.says(script.exchange, process_records([])) == []
        assert shard.delivery.accepted == [("2", 0)]


async def test_nothing_is_checkpointed_past_a_record_that_waits(script: ScriptedDaemon) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a", "b", "c")))
        shard.processor.let_go("a", "c")
        await settled(shard, 2)
        assert await shard.says(script.exchange, process_records([])) == ["1"]


async def test_the_answer_is_held_while_the_window_is_full_and_the_frontier_is_checkpointed_meanwhile(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        script.send(process_records(records("a", "b", "c", "d", "e")))
        shard.processor.let_go("a")
        asked = await shard.says(script.receive)
        assert (asked["action"], asked["sequenceNumber"]) == ("checkpoint", "1")  # 4 of 4: still full
        await shard.says(script.settle_checkpoint, asked)
        shard.processor.let_go("b")
        await shard.says(script.serve, "processRecords")
        assert shard.delivery.window.records <= WINDOW_RECORDS


async def test_a_drain_lets_go_of_a_held_answer_and_what_comes_after_is_not_begun(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        script.send(process_records(records("a", "b", "c", "d", "e")))
        shard.processor.let_go("a")
        asked = await shard.says(script.receive)
        await shard.says(script.settle_checkpoint, asked)
        shard.delivery.stop(lease_lost=False)
        assert await shard.says(script.serve, "processRecords") == []
        await shard.says(script.exchange, process_records(records("f", first=6)))
        shard.processor.let_go()
        await shard.says(script.exchange, SHUTDOWN_REQUESTED)
        assert item("f") not in [record.item for record in shard.processor.applied]
        assert shard.delivery.finished == 1


async def test_a_drain_checkpoints_what_was_settled_before_it_lets_go(script: ScriptedDaemon) -> None:
    async with tenure_of(script, interval=1_000.0) as shard:
        await shard.begin()
        script.send(process_records(records("a", "b", "c", "d", "e")))
        shard.processor.let_go("a")
        await settled(shard, 1)
        shard.delivery.stop(lease_lost=False)
        assert await shard.says(script.serve, "processRecords") == ["1"]


async def test_a_requested_shutdown_waits_for_what_is_under_way_and_checkpoints_it(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script, interval=1_000.0) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a", "b")))
        await until(lambda: shard.processor.begun == 2)
        script.send(SHUTDOWN_REQUESTED)
        await until(lambda: shard.delivery.is_stopping)
        assert script.is_silent()
        shard.processor.let_go("a", "b")
        assert await shard.says(script.serve, "shutdownRequested") == ["2"]
        assert (shard.delivery.is_drained, shard.delivery.finished) == (True, 1)


async def test_a_daemon_that_dies_while_its_answer_is_held_ends_the_tenure(script: ScriptedDaemon) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        script.send(process_records(records("a", "b", "c", "d")))
        await until(lambda: shard.delivery.window.is_awaited)
        script.hang_up()
        await shard.ends()


async def test_a_lease_lost_while_an_answer_is_held_ends_without_a_checkpoint(script: ScriptedDaemon) -> None:
    async with tenure_of(script, interval=1_000.0) as shard:
        await shard.begin()
        script.send(process_records(records("a", "b", "c", "d", "e")))
        shard.processor.let_go("a")
        await settled(shard, 1)
        shard.delivery.stop(lease_lost=True)
        assert await shard.says(script.serve, "processRecords") == []
        assert await shard.says(script.exchange, LEASE_LOST) == []
        await shard.ends()
        assert script.checkpoints == []


async def test_a_lost_lease_stops_delivery_and_ends_the_tenure(script: ScriptedDaemon) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a")))
        assert await shard.says(script.exchange, LEASE_LOST) == []
        await shard.ends()
        assert (shard.delivery.is_lease_lost, script.checkpoints) == (True, [])


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
async def test_a_checkpoint_refused_for_now_is_asked_for_again_with_the_next_message(
    script: ScriptedDaemon, error: str
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a")))
        shard.processor.let_go("a")
        await settled(shard, 1)
        assert await shard.says(script.exchange, process_records([]), lambda _: error) == ["1"]
        assert shard.delivery.accepted == []
        assert await shard.says(script.exchange, process_records([])) == ["1"]
        assert shard.delivery.accepted == [("1", 0)]


async def test_a_checkpoint_refused_at_a_shutdown_is_asked_for_again(script: ScriptedDaemon) -> None:
    verdicts: Iterator[str | None] = iter(["ThrottlingException", None])
    async with tenure_of(script, interval=1_000.0) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a")))
        shard.processor.let_go("a")
        await settled(shard, 1)
        assert await shard.says(script.exchange, SHUTDOWN_REQUESTED, lambda _: next(verdicts)) == ["1", "1"]
        assert (shard.delivery.accepted, shard.delivery.finished) == ([("1", 0)], 1)


async def test_a_checkpoint_refused_because_the_lease_is_gone_stops_the_shard(script: ScriptedDaemon) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a", "b")))
        shard.processor.let_go("a")
        await settled(shard, 1)
        await shard.says(script.exchange, process_records([]), lambda _: "ShutdownException")
        assert (shard.delivery.is_stopping, shard.delivery.is_lease_lost) == (True, True)
        assert await shard.says(script.exchange, process_records(records("c", first=3))) == []
        assert await shard.says(script.exchange, LEASE_LOST) == []
        await shard.ends()
        assert len(script.checkpoints) == 1


@pytest.mark.parametrize("error", ["InvalidStateException", "IllegalArgumentException"])
async def test_a_refusal_that_nothing_can_mend_ends_the_tenure_loudly(
    script: ScriptedDaemon, error: str
) -> None:
    async with tenure_of(script) as shard:
        await shard.begin()
        await shard.says(script.exchange, process_records(records("a")))
        shard.processor.let_go("a")
        await settled(shard, 1)
        script.send(process_records([]))
        asked = await shard.says(script.receive)
        await shard.says(script.settle_checkpoint, asked, lambda _: error)
        with pytest.raises(CheckpointRefusedError, match=error):
            await shard.ends()
        assert script.is_silent()


async def test_a_parked_shard_holds_its_first_records_and_a_drain_lets_go(script: ScriptedDaemon) -> None:
    async with tenure_of(script, is_parked=True) as shard:
        await shard.begin()
        script.send(process_records(records("a")))
        await until(lambda: shard.delivery.window.is_awaited)
        assert script.is_silent()
        shard.delivery.stop(lease_lost=False)
        assert await shard.says(script.serve, "processRecords") == []
        assert (shard.delivery.heard, script.checkpoints) == ([], [])


async def test_a_record_that_is_no_change_is_buried_and_the_frontier_goes_on_past_it(
    script: ScriptedDaemon,
) -> None:
    poison: Sequence[StreamRecord] = [*records("a"), in_stream(b"not JSON", 2), *records("b", first=3)]
    async with tenure_of(script) as shard:
        await shard.begin()
        shard.processor.let_go()
        await shard.says(script.exchange, process_records(poison))
        script.send(SHARD_ENDED)
        asked = await shard.says(script.serve, "shardEnded")
        assert asked[-1] is None
        assert [letter.record for letter in shard.letters.kept] == [poison[1]]


async def test_a_daemon_that_hangs_up_before_the_first_message_ends_the_tenure_quietly(
    script: ScriptedDaemon,
) -> None:
    async with tenure_of(script) as shard:
        script.hang_up()
        await shard.ends()
        assert shard.delivery.begun == []
