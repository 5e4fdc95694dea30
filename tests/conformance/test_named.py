"""What is promised by name, on every store: each a history of its own, with what readers find in the end."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.cases import CASES, OUT, Case
from tests.conformance.history import Ending, History, Order, Shard, Write, item_keys
from tests.conformance.suite import IN_MEMORY, OPENSEARCH, STORES, cases_named, has, pairs
from tests.conformance.targets.base import Target
from tests.conformance.truth import truth
from tests.conformance.voyage import Voyage, carry_out, voyage_of

A = Order(lines=(("a", "1"), ("b", "2")))
B = Order(code="k1", total="2.50", lines=(("c", "0.5"),))
AWAY = A._replace(status=OUT)

PATIENT = "60s"
RESTARTED = cases_named("whole-image", "moving-key", "lines", "sums", "expiry-keeps")
WITH_UNIQUE_KEYS = [store for store in STORES if store != OPENSEARCH]


@pytest.fixture
def target(store: str, request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue(store)
    return found


def of_one(*orders: Order | None, item: int = 0) -> tuple[Write, ...]:
    """Writes to one item, each a millisecond after the one before."""
    return tuple(Write(item, order, 1_000) for order in orders)


def history_of(writes: Sequence[Write]) -> History:
    """Told once, in order, to one owner."""
    return History(tuple(writes), (Shard(tuple(range(len(writes)))),))


def sail(
    target: Target,
    case: Case,
    history: History,
    scene: Callable[[Voyage], Coroutine[Any, Any, None]],
    key_wait: str | None = None,
) -> None:
    """Let a scene happen to an empty read model."""

    async def main() -> None:
        async with voyage_of(target, case, history, key_wait=key_wait) as voyage:
            await scene(voyage)

    target.run(main)


async def tell(voyage: Voyage, *numbers: int) -> None:
    """Deliver the records of these writes."""
    await voyage.deliver([Shard(numbers)])


@pytest.mark.parametrize("store", STORES)
def test_what_is_deleted_stays_deleted_past_a_restart_of_the_store(target: Target, store: str) -> None:
    history = history_of(of_one(A, None))

    async def main() -> None:
        async with AsyncExitStack() as stack:
            opened = [voyage_of(target, case, history) for case in RESTARTED if has(store, case)]
            voyages = [await stack.enter_async_context(voyage) for voyage in opened]
            for voyage in voyages:
                await tell(voyage, 0, 1)
                await tell(voyage, 0)
                assert await voyage.rows() == {}
            await voyages[0].restart()
            for voyage in voyages:
                await tell(voyage, 0)
                assert await voyage.rows() == {}

    target.run(main)


@pytest.mark.parametrize(("store", "case"), pairs(CASES))
def test_an_item_goes_and_comes_back(target: Target, case: Case) -> None:
    async def scene(voyage: Voyage) -> None:
        await tell(voyage, 0, 1)
        assert await voyage.rows() == {}
        await tell(voyage, 2, 0, 1)
        await voyage.check_rows()

    sail(target, case, history_of(of_one(A, None, A)), scene)


@pytest.mark.parametrize(("store", "case"), pairs([case for case in CASES if case.has_when]))
def test_an_item_leaves_when_and_returns(target: Target, case: Case) -> None:
    async def scene(voyage: Voyage) -> None:
        await tell(voyage, 0, 1)
        assert await voyage.rows() == {}
        await tell(voyage, 0)
        assert await voyage.rows() == {}
        await tell(voyage, 2, 1, 0)
        await voyage.check_rows()

    sail(target, case, history_of(of_one(A, AWAY, B)), scene)


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("moving-key", "moving-key-when", "sums")))
def test_a_row_goes_with_its_key(target: Target, case: Case) -> None:
    async def scene(voyage: Voyage) -> None:
        await tell(voyage, 0, 1)
        await voyage.check_rows()
        await tell(voyage, 0)
        await voyage.check_rows()

    sail(target, case, history_of(of_one(A, B)), scene)


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("moving-key", "moving-key-when")))
@pytest.mark.parametrize("order", [(2, 3), (3, 2), (0, 3, 2), (3, 3, 1, 2)])
@pytest.mark.parametrize("batch", [1, 10])
def test_two_items_swap_their_keys(target: Target, case: Case, order: tuple[int, ...], batch: int) -> None:
    writes = (Write(0, A, 1_000), Write(1, B, 1_000), Write(0, B, 1_000), Write(1, A, 1_000))

    async def scene(voyage: Voyage) -> None:
        await tell(voyage, 0, 1)
        await tell(voyage, *order)
        await voyage.check_rows()
        assert voyage.letters == []

    sail(target, case, replace(history_of(writes), batch=batch), scene, PATIENT)


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("lines", "lines-that-move", "sums-of-lines")))
def test_elements_vanish_change_places_and_come_back(target: Target, case: Case) -> None:
    lists = ["abcd", "b", "dcb", "", "acb", "abc"]
    writes = of_one(*(Order(lines=tuple((sku, str(len(skus))) for sku in skus)) for skus in lists))

    async def scene(voyage: Voyage) -> None:
        for number in range(len(writes)):
            await tell(voyage, number)
            assert await voyage.rows() == truth(case, history_of(writes[: number + 1]))
        await tell(voyage, *range(len(writes) - 1))
        await voyage.check_rows()

    sail(target, case, history_of(writes), scene)


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("sums", "expiry-removes")))
def test_sums_have_38_digits_and_no_more(target: Target, case: Case) -> None:
    half = Order(total="5" + "0" * 37)
    writes = (
        Write(0, half, 1_000),
        Write(1, Order(total="4" + "9" * 37), 1_000),
        Write(2, Order(total="2"), 1_000),
        Write(0, None, 1_000),
    )

    async def scene(voyage: Voyage) -> None:
        await tell(voyage, 0, 1, 2)
        assert await voyage.rows() == {("k0",): {"orders": 2, "revenue": Decimal("9" * 38)}}
        assert voyage.letters == ["SumOutOfRange"]
        await tell(voyage, 3)
        await voyage.redrive()
        await voyage.check_rows()

    sail(target, case, history_of(writes), scene)


LONG = Order(lines=tuple((f"sku-{number:03}", "1") for number in range(120)))
OTHER = Order(lines=tuple((f"sku-{number:03}", "3") for number in range(60, 180)))


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("lines", "lines-that-move", "sums-of-lines")))
@pytest.mark.parametrize("end", [OTHER, B, None], ids=["others", "one", "none"])
def test_an_order_of_120_lines_survives_a_crash_at_any_step(
    target: Target, store: str, case: Case, end: Order | None
) -> None:
    history = history_of(of_one(LONG, end))
    for step in range(1, 20) if store == IN_MEMORY else (4, 9):
        endings = (Ending(step, "killed"), Ending(2 * step, "stolen"))
        carry_out(target, case, replace(history, shards=(Shard((0, 1, 0), endings),), seed=step))


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("moving-key"), WITH_UNIQUE_KEYS))
def test_a_key_that_two_items_claim_is_the_first_one_s_until_it_gives_it_up(
    target: Target, case: Case
) -> None:
    writes = (Write(0, A, 1_000), Write(1, A, 1_000), Write(0, None, 1_000))
    first = item_keys(0, ("id",))["id"]["S"]

    async def scene(voyage: Voyage) -> None:
        for number in (0, 1):
            await voyage.deliver([Shard((number,))], until=2)
        assert await voyage.rows() == {("k0",): {"owner": first, "total": 1}}
        assert voyage.letters == ["KeyNotUnique"]
        await tell(voyage, 2)
        assert await voyage.rows() == {}
        await voyage.redrive()
        await voyage.check_rows()

    sail(target, case, history_of(writes), scene)


@pytest.mark.parametrize(("store", "case"), pairs(cases_named("sums", "moving-key"), ["postgresql_table"]))
@pytest.mark.parametrize("step", range(4, 24, 2))
def test_an_owner_that_is_slow_within_a_transaction_does_nothing_twice(
    target: Target, case: Case, step: int
) -> None:
    history = history_of(of_one(A, B, A))
    endings = (Ending(step, "stolen", back=1_000),)
    carry_out(target, case, replace(history, shards=(Shard((0, 1, 2), endings),), batch=1))
