"""Rows belong to one item: what an item does about one that another has, or nobody."""

import pytest

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, Outcome
from consumer.processors.gate import stamp_from_attribute
from consumer.record import AttributeValue, Image
from tests.unit.processors.rows_bench import (
    BY_CODE,
    BY_LINE,
    VIEW,
    Between,
    Flaky,
    RowsBench,
    Watched,
    actions_on,
    change,
    coded,
    lined,
    text_of,
)

BY_SKU = {"for_each": "new.lines", "key": {"sku": "item.sku"}, "fields": {"n": "item.n"}}


def is_waiting(outcome: Outcome) -> bool:
    error = outcome.error
    return isinstance(error, Unavailable) and error.code == "KeyTaken" and error.of_item


@pytest.fixture
def bench() -> RowsBench:
    return RowsBench(**BY_CODE)


async def test_two_items_can_swap_their_keys(bench: RowsBench) -> None:
    processor = bench.processor()
    await processor.process([change("a", 1, coded("x", "of a")), change("b", 1, coded("y", "of b"))])
    swap = [change("a", 2, coded("y", "of a")), change("b", 2, coded("x", "of b"))]

    first, second = await processor.process(swap)

    assert is_waiting(first)
    assert second == APPLIED or is_waiting(second)
    outcomes = [*await processor.process(swap[:1]), *await processor.process(swap[1:])]
    assert all(outcome.error is None for outcome in outcomes)
    assert bench.rows() == {"y": {"v": "of a"}, "x": {"v": "of b"}}


async def test_who_waits_has_given_up_what_it_has_no_place_for_and_its_change_is_still_newer(
    bench: RowsBench,
) -> None:
    processor = bench.processor()
    await processor.process([change("a", 1, coded("x")), change("b", 1, coded("y"))])
    before = bench.entry("a")
    assert before is not None

    (outcome,) = await processor.process([change("a", 2, coded("y"))])

    assert is_waiting(outcome)
    assert bench.rows().keys() == {"y"}
    assert bench.held("a") == set()
    after = bench.entry("a")
    assert after is not None
    was, now = (stamp_from_attribute(entry[RESERVED]) for entry in (before, after))
    assert now == was._replace(round=2)
    assert "expires" not in after


async def test_an_item_keeps_the_rows_that_it_still_has_a_place_for_while_it_waits() -> None:
    bench = RowsBench(**BY_SKU)
    processor = bench.processor()
    await processor.process([change("a", 1, lined({"x": "1", "y": "1"})), change("b", 1, lined({"z": "1"}))])

    (outcome,) = await processor.process([change("a", 2, lined({"y": "2", "z": "2"}))])

    assert is_waiting(outcome)
    assert bench.rows() == {"y": {"n": "1"}, "z": {"n": "1"}}
    assert bench.held("a") == {text_of("y")}


async def test_who_has_nothing_to_give_up_waits_without_a_write(bench: RowsBench) -> None:
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    for _ in range(2):
        (outcome,) = await processor.process([change("a", 1, coded("y"))])
        assert is_waiting(outcome)
    assert bench.entry("a") is None


async def test_a_key_that_is_taken_for_a_minute_is_not_unique(bench: RowsBench) -> None:
    bench.is_now("b", coded("y"))
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    taken = change("a", 1, coded("y"))
    for seconds in (0, 30, 29.5):
        bench.now += seconds
        assert is_waiting(*await processor.process([taken]))
    bench.now += 0.5

    (outcome,) = await processor.process([taken])

    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == ("KeyNotUnique", False)
    assert bench.rows() == {"y": {"v": "1"}}


async def test_a_wait_that_is_over_is_forgotten(bench: RowsBench) -> None:
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    assert is_waiting(*await processor.process([change("a", 1, coded("y"))]))
    await processor.process([change("b", 2, coded("z"))])
    assert await processor.process([change("a", 1, coded("y"))]) == [APPLIED]
    bench.now += 50
    assert is_waiting(*await processor.process([change("a", 2, coded("z"))]))
    bench.now += 50
    assert is_waiting(*await processor.process([change("a", 2, coded("z"))]))


@pytest.mark.parametrize("lost", ["BatchGetItem", "TransactWriteItems"])
async def test_an_outage_is_no_part_of_a_wait(bench: RowsBench, lost: str) -> None:
    bench.is_now("b", coded("y"))
    await bench.processor().process([change("b", 1, coded("y"))])
    taken = change("a", 1, coded("y"))
    processor = bench.processor(Flaky(bench.dynamodb, lost, lost=2, is_done=False))
    assert is_waiting(*await processor.process([taken]))
    bench.now += 50
    (outcome,) = await processor.process([taken])
    assert isinstance(outcome.error, Unavailable)
    assert not outcome.error.of_item
    bench.now += 250
    assert is_waiting(*await processor.process([taken]))
    bench.now += 9.5
    assert is_waiting(*await processor.process([taken]))
    bench.now += 0.5

    (outcome,) = await processor.process([taken])

    assert getattr(outcome.error, "code", None) == "KeyNotUnique"


async def test_a_rejected_records_further_attempts_do_not_wait_anew(bench: RowsBench) -> None:
    bench.is_now("b", coded("y"))
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    codes = []
    for _ in range(4):
        (outcome,) = await processor.process([change("a", 1, coded("y"))])
        codes.append(getattr(outcome.error, "code", None))
        bench.now += 200
    assert codes == ["KeyTaken", "KeyNotUnique", "KeyNotUnique", "KeyNotUnique"]


async def test_a_buried_items_next_wait_is_a_new_one(bench: RowsBench) -> None:
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    assert is_waiting(*await processor.process([change("a", 1, coded("y"))]))
    bench.now += 3_600
    assert is_waiting(*await processor.process([change("a", 2, coded("y"))]))


async def test_nobody_waits_where_the_settings_say_so() -> None:
    bench = RowsBench(**BY_CODE, key_wait="0s")
    bench.is_now("b", coded("y"))
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    (outcome,) = await processor.process([change("a", 1, coded("y"))])
    assert getattr(outcome.error, "code", None) == "KeyNotUnique"


async def test_two_elements_of_one_key_are_the_records_own_fault() -> None:
    bench = RowsBench(**BY_LINE)
    same: AttributeValue = {"L": [{"M": {"sku": {"S": "a"}, "n": {"S": n}}} for n in "12"]}
    (outcome,) = await bench.processor().process([change("o", 1, {"lines": same})])
    assert getattr(outcome.error, "code", None) == "KeyNotUnique"
    assert bench.dynamodb.calls == []


@pytest.mark.parametrize(
    "mark", [{}, {"_tidemark": {"M": {"v": {"N": "1"}}}}, {"_tidemark": {"S": "mine"}}], ids=str
)
async def test_a_row_without_an_owner_is_foreign_unless_it_is_adopted(mark: Image) -> None:
    for adopts in (False, True):
        bench = RowsBench(**BY_CODE, adopt=adopts)
        bench.view.put({"code": {"S": "x"}, "v": {"S": "theirs"}, **mark})

        (outcome,) = await bench.processor().process([change("a", 1, coded("x", "mine"))])

        if adopts:
            assert outcome == APPLIED
            assert bench.rows() == {"x": {"v": "mine"}}
        else:
            assert isinstance(outcome.error, Rejected)
            assert (outcome.error.code, outcome.error.by_store) == ("ForeignRow", True)
            assert bench.rows() == {"x": {"v": "theirs"}}


async def test_a_row_that_other_hands_took_is_let_go_and_not_deleted(bench: RowsBench) -> None:
    processor = bench.processor()
    await processor.process([change("a", 1, coded("x"))])
    bench.view.put({"code": {"S": "x"}, "v": {"S": "theirs"}})

    assert await processor.process([change("a", 2, coded("y"))]) == [APPLIED]

    assert bench.rows() == {"x": {"v": "theirs"}, "y": {"v": "1"}}
    assert bench.held("a") == {text_of("y")}


async def test_a_row_that_other_hands_deleted_is_no_hindrance(bench: RowsBench) -> None:
    processor = bench.processor()
    await processor.process([change("a", 1, coded("x"))])
    bench.view.rows.clear()
    assert await processor.process([change("a", 2, coded("y"))]) == [APPLIED]
    assert bench.rows() == {"y": {"v": "1"}}


async def test_rows_lost_to_other_hands_do_not_keep_an_item_from_giving_up_the_rest() -> None:
    bench = RowsBench(**BY_SKU)
    processor = bench.processor()
    await processor.process([change("a", 1, lined({"w": "1", "x": "1"})), change("b", 1, lined({"z": "1"}))])
    bench.view.put({"sku": {"S": "w"}, "n": {"S": "theirs"}})

    assert is_waiting(*await processor.process([change("a", 2, lined({"z": "2"}))]))

    assert bench.rows() == {"w": {"n": "theirs"}, "z": {"n": "1"}}
    assert bench.held("a") == set()


async def test_another_writer_while_an_item_gives_up_its_rows_is_seen(bench: RowsBench) -> None:
    await bench.processor().process([change("a", 1, coded("x")), change("b", 1, coded("y"))])
    other = bench.processor()
    between = Between(bench.dynamodb, lambda: other.process([change("a", 3, coded("w"))]), before=2)

    (outcome,) = await bench.processor(between).process([change("a", 2, coded("y"))])

    assert outcome.kind == "stale"
    assert bench.rows().keys() == {"w", "y"}


async def test_an_item_whose_rows_another_writer_moved_meanwhile_tries_for_the_key_once_more(
    bench: RowsBench,
) -> None:
    await bench.processor().process([change("a", 1, coded("x")), change("b", 1, coded("y"))])
    other = bench.processor()
    late = [change("a", 2, coded("w")), change("b", 2, coded("z"))]
    between = Between(bench.dynamodb, lambda: other.process(late), before=2)

    assert await bench.processor(between).process([change("a", 3, coded("y"))]) == [APPLIED]

    assert bench.rows().keys() == {"y", "z"}


async def test_what_is_given_up_is_given_up_in_one_transaction(bench: RowsBench) -> None:
    await bench.processor().process([change("a", 1, coded("x")), change("b", 1, coded("y"))])
    watched = Watched(bench.dynamodb)
    await bench.processor(watched).process([change("a", 2, coded("y"))])
    _, given_up = watched.transactions
    assert len(given_up) == 2
    assert actions_on(VIEW, given_up) == ["Delete"]
