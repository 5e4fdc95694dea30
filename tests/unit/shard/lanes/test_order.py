"""Delivery in order, side by side, in batches, and until it is stopped."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import pytest

from consumer.processors.base import APPLIED, SKIPPED, STALE, Outcome, failed
from consumer.record import ChangeRecord
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, PATIENCE_SECONDS, Bench, apply_all, changes


async def test_an_items_records_are_delivered_in_stream_order_and_never_two_at_once() -> None:
    under_way: set[str] = set()
    seen: dict[str, list[int]] = defaultdict(list)

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        items = {record.item for record in records}
        assert not items & under_way
        under_way.update(items)
        for record in records:
            seen[record.item].append(record.micros)
            await asyncio.sleep(0)
        under_way.difference_update(items)
        return [APPLIED] * len(records)

    records = [put(f"item-{tick % 17}", tick) for tick in range(400)]
    await Bench(process, lanes=8, batch_size=3).deliver(records)
    assert sum(len(micros) for micros in seen.values()) == 400
    assert all(micros == sorted(micros) for micros in seen.values())


async def test_a_lane_that_waits_does_not_hold_the_others() -> None:
    released = asyncio.Event()
    first: list[str] = []

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        if not first:
            first.append(records[0].item)
            await released.wait()
        elif records[0].item != first[0]:
            released.set()
        return [APPLIED] * len(records)

    bench = Bench(process, lanes=8, batch_size=1)
    await bench.deliver(changes(20))
    assert set(bench.settled.values()) == {"applied"}


async def test_a_batch_holds_at_most_batch_size_records() -> None:
    bench = Bench(apply_all, batch_size=3)
    await bench.deliver(changes(8))
    assert [len(batch) for batch in bench.target.batches] == [3, 3, 2]


async def test_a_lane_waits_for_its_batch_to_fill_from_when_something_came() -> None:
    bench = Bench(apply_all, batch_size=3, batching_window=5.0)
    async with bench.running([]):
        await asyncio.sleep(100)
        bench.lanes.give([(0, put("a", 1))])
        await asyncio.sleep(3)
        bench.lanes.give([(1, put("b", 1))])
        await asyncio.sleep(1.9)
        assert bench.batches == []
        await asyncio.sleep(0.2)
        assert bench.batches == ["a1 b1"]
        bench.lanes.give([(2, put("a", 2)), (3, put("b", 2)), (4, put("c", 1))])
        await asyncio.sleep(0.1)
    assert bench.target.times == [105.0, pytest.approx(105.1)]


async def test_what_is_stale_or_skipped_is_settled_as_such_at_once() -> None:
    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return [STALE, SKIPPED, APPLIED]

    bench = Bench(process)
    await bench.deliver(changes(3))
    assert bench.settled == {0: "stale", 1: "skipped", 2: "applied"}
    assert dict(bench.counts) == {}


async def test_a_stop_ends_the_wait_for_another_try_and_settles_nothing() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY)] * len(records)

    bench = Bench(process)
    bench.lanes.give(list(enumerate(changes(3))))
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await asyncio.sleep(500)
        stopped_at = asyncio.get_running_loop().time()
        bench.lanes.stop()
    assert asyncio.get_running_loop().time() == stopped_at
    assert bench.settled == {}


async def test_a_stop_lets_the_delivery_under_way_end_and_begins_no_other() -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        begun.set()
        await released.wait()
        return [APPLIED] * len(records)

    bench = Bench(process, batch_size=2)
    bench.lanes.give(list(enumerate(changes(6))))
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await begun.wait()
        bench.lanes.stop()
        released.set()
    assert bench.settled == {0: "applied", 1: "applied"}
    assert bench.target.batches == [["a1", "b1"]]


async def test_a_stop_ends_lanes_that_have_nothing_to_do() -> None:
    bench = Bench(apply_all, lanes=8)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await asyncio.sleep(0)
        bench.lanes.stop()
    assert bench.target.batches == []


@pytest.mark.parametrize("outcomes", [[], [APPLIED], [APPLIED] * 3])
async def test_an_answer_for_another_number_of_records_ends_the_process_instead_of_losing_any(
    outcomes: list[Outcome],
) -> None:
    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return outcomes

    bench = Bench(process)
    with pytest.raises(ExceptionGroup) as group:
        await bench.deliver(changes(2))
    assert group.group_contains(
        RuntimeError, match=f"view answered for {len(outcomes)} of 2 records", depth=3
    )
    assert bench.settled == {}


async def test_a_change_that_stands_alone_is_taken_as_one_with_none_that_wait_beside_it() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [APPLIED] * len(records)

    bench = Bench(process, coalesces=True, stands_alone=lambda change: change.micros == 3)
    await bench.deliver([put("a", micros) for micros in (1, 2, 3, 4, 5)])
    assert bench.batches == ["a2", "a3", "a5"]
