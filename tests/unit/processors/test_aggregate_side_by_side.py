"""Groups that are hot, and rows that others keep numbers in."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from consumer.errors import Unavailable
from consumer.processors.aggregate.locks import GroupLocks
from consumer.processors.base import APPLIED, Above
from tests.support.in_memory_dynamodb import Answer
from tests.unit.processors.sums_bench import LINES, SUMS, SumsBench, change, item, order


async def test_lanes_never_have_two_transactions_on_one_group_at_a_time() -> None:
    under_way = most = 0

    async def pause(operation: str) -> None:
        nonlocal under_way, most
        if operation == "TransactWriteItems":
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    bench = SumsBench(pause)
    processor = bench.processor()
    batches = [[change(item(f"{lane}-{n}", "hot", "1"), 5) for n in range(20)] for lane in range(8)]
    await asyncio.gather(*map(processor.process, batches))
    assert (most, bench.counted()) == (1, {"hot": {"count": "160", "total": "160"}})
    apart = [[change(item(f"{lane}", f"g{lane}", "1"), 5)] for lane in range(8)]
    await asyncio.gather(*map(processor.process, apart))
    assert most == 8


async def test_locks_are_taken_in_one_order_and_forgotten_when_nobody_uses_them() -> None:
    locks = GroupLocks()
    done: list[str] = []

    async def hold(name: str, *groups: str) -> None:
        async with locks.holding(groups):
            await asyncio.sleep(0)
            done.append(name)

    async with asyncio.timeout(5):
        # Whoever took its groups as they come would hold its first and wait for the other's.
        await asyncio.gather(hold("one", "m"), hold("two", "a", "m", "z"), hold("three", "z", "m", "a"))
    waiting = asyncio.create_task(hold("late", "a"))
    async with locks.holding(["a"]):
        await asyncio.sleep(0)
        assert (len(locks), "late" in done) == (1, False)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(locks) == 1
    assert (len(locks), sorted(done)) == (0, ["one", "three", "two"])


async def test_sums_above_their_number_are_told_and_never_refused() -> None:
    bench = SumsBench(**LINES, warn_above={"reserved": "on_hand"})
    for product, kind, on_hand in (("p1", "N", "5"), ("p2", "N", "3"), ("p3", "S", "many")):
        bench.sums.put({"p": {"S": product}, "on_hand": {kind: on_hand}})
    first = order("a", ("p1", "5"), ("p2", "3.5"), ("p3", "9"), ("p4", "9"))
    assert await bench.processor().process([change(first, 5)]) == [APPLIED]
    assert bench.above == [Above("reserved", '[["S","p2"]]', Decimal("3.5"), "on_hand", Decimal(3))]
    assert bench.counted()["p2"]["reserved"] == "3.5"


async def test_rows_that_cannot_be_looked_at_afterwards_are_counted_all_the_same() -> None:
    bench = SumsBench(**LINES, warn_above={"reserved": "on_hand"})

    class OnlyTheLedger:
        async def call(
            self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
        ) -> Answer:
            if operation == "BatchGetItem" and isinstance(request, dict) and SUMS in request["RequestItems"]:
                raise Unavailable("throttled", code="ThrottlingException")
            return await bench.dynamodb.call(operation, request, expect=expect)

    processor = bench.processor(client=OnlyTheLedger())
    assert await processor.process([change(order("a", ("p1", "5")), 5)]) == [APPLIED]
    assert (bench.counted(), bench.above) == ({"p1": {"reserved": "5"}}, [])
