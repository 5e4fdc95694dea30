"""While an answer is held nothing more comes, so that no batch fills by waiting."""

import asyncio
from collections.abc import Sequence

import pytest

from consumer.record import StreamRecord
from consumer.shard.lanes import LanePolicy
from consumer.shard.path import RecordPath, decode_all
from consumer.shard.window import Window
from tests.support.changes import envelope, in_stream
from tests.unit.shard.rig import HeldProcessor, Letters, make_path

PATIENT = LanePolicy(lanes=8, batch_size=100, batching_window=300.0)


def records(numbers: range) -> list[StreamRecord]:
    return [
        in_stream(envelope("INSERT", {"id": {"S": str(number)}}, 1, new={"id": {"S": str(number)}}), number)
        for number in numbers
    ]


def accept(path: RecordPath, window: Window, message: Sequence[StreamRecord]) -> None:
    window.admit(len(message), len(message))
    path.accept(list(message), decode_all(message))


@pytest.mark.parametrize("first", [0, 1, 3])
async def test_a_held_answer_ends_the_wait_for_fuller_batches_in_every_lane(first: int) -> None:
    window, view = Window(records=4, size=1_000_000), HeldProcessor()
    view.let_go()
    path = make_path({"view": view}, window, Letters(), policy=PATIENT)
    async with asyncio.timeout(1_000), asyncio.TaskGroup() as group:
        group.create_task(path.run())
        accept(path, window, records(range(1, first + 1)))
        await asyncio.sleep(10)
        assert path.frontier.settled == 0
        accept(path, window, records(range(first + 1, 5)))
        path.hurry()
        await asyncio.sleep(1)
        assert path.frontier.settled == 4
        accept(path, window, records(range(5, 6)))
        await asyncio.sleep(299)
        assert path.frontier.settled == 4, "what comes later waits for its batch again"
        await asyncio.sleep(2)
        assert path.frontier.settled == 5
        path.stop()
