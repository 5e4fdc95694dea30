"""The protocol thread against a scripted daemon over real pipes, with the real record path behind it."""

import asyncio
import select
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TypeVar

import pytest

from checkpoint.checkpointer import Checkpointer, CheckpointRefusedError
from consumer.log import open_log
from consumer.record import Position, StreamRecord
from consumer.shard.kcl import Daemon
from consumer.shard.lanes import LanePolicy
from consumer.shard.tenure import Tenure
from consumer.shard.window import Window
from tests.support.changes import envelope, in_stream
from tests.support.multilang import (
    LEASE_LOST,
    SHARD_ENDED,
    SHUTDOWN_REQUESTED,
    ScriptedDaemon,
    initialize,
    process_records,
    scripted_daemon,
)
from tests.unit.shard.rig import HeldProcessor, Letters, PathDelivery, item, make_path, running, until

WINDOW_RECORDS = 4

Result = TypeVar("Result")


@dataclass(slots=True)
class Shard:
    """Everything of one tenure under test."""

    daemon: ScriptedDaemon
    delivery: PathDelivery
    processor: HeldProcessor
    letters: Letters
    tenure: "asyncio.Task[None]"

    async def says(self, call: Callable[..., Result], *arguments: object) -> Result:
        """Let the daemon speak while the event loop goes on."""
        return await asyncio.to_thread(call, *arguments)

    async def begin(self) -> None:
        await self.says(self.daemon.exchange, initialize())

    async def ends(self) -> None:
        """The thread is over; raises what it raised."""
        await self.tenure


@pytest.fixture
def script() -> Iterator[ScriptedDaemon]:
    with scripted_daemon() as daemon:
        yield daemon


@asynccontextmanager
async def tenure_of(
    script: ScriptedDaemon,
    *,
    interval: float = 0.0,
    is_parked: bool = False,
    policy: LanePolicy | None = None,
) -> AsyncIterator[Shard]:
    window = Window(records=WINDOW_RECORDS, size=1_000_000)
    processor, letters = HeldProcessor(), Letters()
    path = make_path({"view": processor}, window, letters, policy=policy)
    delivery = PathDelivery(path, window, is_parked=is_parked)
    daemon = Daemon(script.child_input, script.child_output, window.wake_reader)
    checkpointer = Checkpointer(daemon.checkpoint, interval=interval, clock=time.monotonic)
    tenure = Tenure(
        daemon, delivery, checkpointer, drain_seconds=20.0, clock=time.monotonic, log=open_log(BytesIO())
    )
    async with running(delivery):
        task = asyncio.create_task(asyncio.to_thread(tenure.run))
        try:
            yield Shard(script, delivery, processor, letters, task)
        finally:
            script.hang_up()
            with suppress(CheckpointRefusedError):
                await task
            processor.let_go()


def records(*letters: str, first: int = 1) -> list[StreamRecord]:
    """A record an item, at sequence numbers from `first` on; each item has a lane of its own."""
    return [
        in_stream(envelope("INSERT", {"id": {"S": name}}, 1, new={"id": {"S": name}}), number)
        for number, name in enumerate(map(item, letters), first)
    ]


async def settled(shard: Shard, count: int) -> None:
    """Wait until so many records were applied: they are settled in the same step."""
    await until(lambda: len(shard.processor.applied) == count)


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
