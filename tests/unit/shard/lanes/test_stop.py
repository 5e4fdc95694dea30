"""A stop ends every kind of wait at once; what is under way ends, and nothing is begun or settled untold."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from consumer.errors import Unavailable
from consumer.processors.base import HELD, Outcome, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import DeadLetter
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, BAD, Bench, Process, apply_all, changes, raising, reject
from tests.unit.shard.rig import Letters


def answer(*outcomes: Outcome) -> Process:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return list(outcomes[: len(records)])

    return process


@pytest.mark.parametrize(
    ("process", "policy"),
    [
        pytest.param(reject("a1", "b1"), {"maximum_retry_attempts": -1}, id="another try"),
        pytest.param(answer(failed(AWAY), failed(AWAY)), {}, id="a store that is away"),
        pytest.param(answer(failed(AWAY), failed(AWAY)), {"lanes": 8}, id="a store that is away, many lanes"),
        pytest.param(answer(HELD, HELD), {}, id="what was held"),
        pytest.param(apply_all, {"batching_window": 300.0}, id="the window to fill"),
        pytest.param(
            raising("a1"), {"bisects": False, "maximum_retry_attempts": -1}, id="a batch kept together"
        ),
        pytest.param(raising("a1", "b1", error=ZeroDivisionError()), {}, id="a failure without a name"),
    ],
)
async def test_a_stop_ends_the_wait_for(process: Process, policy: dict[str, Any]) -> None:
    bench = Bench(process, **policy)
    async with bench.running(changes(2)):
        await asyncio.sleep(200)
        tried = len(bench.batches)
    assert (bench.settled, bench.buried) == ({}, {})
    assert len(bench.batches) == tried


async def test_a_stop_ends_the_wait_for_another_try_of_a_burial() -> None:
    letters = Letters(failures=1_000)
    bench = Bench(reject("a1"), dead_letters=letters, maximum_retry_attempts=0)
    async with bench.running(changes(2)):
        await asyncio.sleep(100)
    assert (bench.settled, letters.kept) == ({1: "applied"}, [])
    failures = bench.counts["dead letter failure"]
    await asyncio.sleep(1_000)
    assert bench.counts["dead letter failure"] == failures


class SlowLetters:
    """Writes a letter once it is let go, or then fails."""

    def __init__(self, error: Unavailable | None) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self.writes = 0
        self._error = error

    async def write(self, _: DeadLetter) -> None:
        self.writes += 1
        self.begun.set()
        await self.let_go.wait()
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("error", [None, AWAY], ids=["kept", "failed"])
async def test_a_burial_under_way_ends_after_a_stop_and_is_settled_only_if_it_is_kept(
    error: Unavailable | None,
) -> None:
    letters = SlowLetters(error)
    bench = Bench(reject("a1"), dead_letters=letters, maximum_retry_attempts=0)
    async with bench.running([put("a", 1), put("a", 2)]):
        await letters.begun.wait()
        bench.lanes.stop()
        await asyncio.sleep(10)
        assert bench.settled == {}
        letters.let_go.set()
        await asyncio.sleep(0)
    assert bench.settled == ({0: "failed"} if error is None else {})
    assert (bench.batches, letters.writes) == (["a1 a2"], 1)


async def test_a_stop_before_a_burial_begins_leaves_the_record_unsettled() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        bench.lanes.stop()
        return [failed(BAD)] * len(records)

    bench = Bench(process, maximum_retry_attempts=0)
    async with bench.running(changes(2)):
        await asyncio.sleep(10)
    assert (bench.settled, bench.letters.kept) == ({}, [])


async def test_what_was_given_after_a_stop_is_not_begun() -> None:
    bench = Bench(apply_all)
    async with bench.running([]):
        await asyncio.sleep(1)
        bench.lanes.stop()
        bench.lanes.give(list(enumerate(changes(2))))
        await asyncio.sleep(10)
    assert (bench.batches, bench.settled) == ([], {})
