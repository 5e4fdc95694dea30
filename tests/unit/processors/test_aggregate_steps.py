"""Items of more groups than a transaction takes."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from consumer.errors import Rejected
from consumer.processors.base import APPLIED, STALE
from consumer.record import Image
from tests.support.in_memory_dynamodb import Answer, InMemoryDynamoDB
from tests.unit.processors.sums_bench import LINES, SumsBench, change, order

PRODUCTS = [(f"p{number:03}", "2") for number in range(120)]


async def test_an_order_of_120_lines_is_counted_in_steps_and_taken_back_in_steps() -> None:
    bench = SumsBench(**LINES)
    whole = order("a", *PRODUCTS)
    assert await bench.processor().process([change(whole, 5)]) == [APPLIED]
    assert bench.counted() == {product: {"reserved": "2"} for product, _ in PRODUCTS}
    assert bench.dynamodb.calls == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]
    assert await bench.processor().process([change(None, 6, old=whole)]) == [APPLIED]
    assert bench.counted() == {}


class Mortal:
    """A DynamoDB whose caller dies once a number of transactions took effect."""

    def __init__(self, real: InMemoryDynamoDB, transactions: int) -> None:
        self._real = real
        self._left = transactions

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        answer = await self._real.call(operation, request, expect=expect)
        if operation == "TransactWriteItems":
            self._left -= 1
            if self._left <= 0:
                raise asyncio.CancelledError
        return answer


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("next_change", ["the same", "a newer one", "its deletion"])
async def test_whoever_comes_after_a_crash_between_two_steps_goes_on_from_what_is_counted(
    steps: int, next_change: str
) -> None:
    bench = SumsBench(**LINES)
    before = order("a", *PRODUCTS[:30])
    await bench.processor().process([change(before, 4)])
    whole = order(
        "a", *((product, "3") for product, _ in PRODUCTS), ("q", "1"), *((f"r{n}", "1") for n in range(90))
    )
    with pytest.raises(asyncio.CancelledError):
        await bench.processor(client=Mortal(bench.dynamodb, steps)).process([change(whole, 5, old=before)])
    after: dict[str, Image | None] = {
        "the same": whole,
        "a newer one": order("a", ("p001", "9"), ("q", "2")),
        "its deletion": None,
    }
    new = after[next_change]
    assert (await bench.processor().process([change(new, 5 if new is whole else 6, old=whole)]))[
        0
    ].error is None
    lines = new["lines"]["L"] if new is not None else []
    assert isinstance(lines, list)
    assert bench.counted() == {line["M"]["p"]["S"]: {"reserved": line["M"]["q"]["N"]} for line in lines}


async def test_another_writer_between_two_steps_is_seen_and_nothing_is_counted_twice() -> None:
    bench = SumsBench(**LINES)
    whole = order("a", *PRODUCTS)
    newer = order("a", ("p000", "1"), ("p119", "5"))
    calls = 0

    class Between:
        async def call(
            self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
        ) -> Answer:
            nonlocal calls
            calls += operation == "TransactWriteItems"
            if operation == "TransactWriteItems" and calls == 2:
                assert await bench.processor().process([change(newer, 6, old=whole)]) == [APPLIED]
            return await bench.dynamodb.call(operation, request, expect=expect)

    assert await bench.processor(client=Between()).process([change(whole, 5)]) == [STALE]
    assert bench.counted() == {"p000": {"reserved": "1"}, "p119": {"reserved": "5"}}


async def test_an_order_whose_first_step_is_rejected_takes_no_further_step() -> None:
    bench = SumsBench(**LINES)
    bench.sums.put({"p": {"S": "p003"}, "reserved": {"N": "9" * 38}})
    (outcome,) = await bench.processor().process([change(order("a", *PRODUCTS, ("p003", "0.5")), 5)])
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.code == "SumOutOfRange"
    assert bench.counted() == {"p003": {"reserved": "9" * 38}}


async def test_an_order_whose_later_step_is_rejected_stays_counted_as_its_entry_says() -> None:
    bench = SumsBench(**LINES)
    theirs = {"p119": {"reserved": "9" * 38}}
    bench.sums.put({"p": {"S": "p119"}, "reserved": {"N": "9" * 38}})
    large = order("a", *PRODUCTS[:119], ("p119", "0.5"))
    (outcome,) = await bench.processor().process([change(large, 5)])
    assert isinstance(outcome.error, Rejected)
    assert len(bench.counted()) == 100
    assert await bench.processor().process([change(None, 6, old=large)]) == [APPLIED]
    assert bench.counted() == theirs


async def test_an_order_of_more_groups_than_an_entry_can_hold_is_rejected_with_nothing_of_it_counted() -> (
    None
):
    bench = SumsBench(**LINES)
    large = order("a", *((f"{number:05}{'x' * 80}", "1") for number in range(4_000)))
    (outcome,) = await bench.processor().process([change(large, 5)])
    assert getattr(outcome.error, "code", None) == "EntryTooLarge"
    assert getattr(outcome.error, "by_store", None) is False
    assert (bench.counted(), bench.entry("a")) == ({}, None)


async def test_an_order_all_of_whose_many_groups_change_takes_no_larger_entry_on_the_way() -> None:
    bench = SumsBench(**LINES)
    before = order("a", *((f"z{number:05}{'x' * 80}", "1") for number in range(2_200)))
    after = order("a", *((f"a{number:05}{'x' * 80}", "1") for number in range(2_200)))
    assert await bench.processor().process([change(before, 5)]) == [APPLIED]
    assert await bench.processor().process([change(after, 6, old=before)]) == [APPLIED]
    assert {group[0] for group in bench.counted()} == {"a"}
