"""A write of more rows than one transaction takes: in steps, after each of which anything may happen."""

import pytest

from consumer.attributes import RESERVED
from consumer.processors.base import APPLIED, HELD, STALE
from consumer.record import Image
from tests.unit.processors.rows_bench import (
    BY_LINE,
    Between,
    Flaky,
    Retried,
    RowsBench,
    change,
    lined,
    text_of,
)

LONG = {f"sku-{number:03}": "1" for number in range(120)}
OTHER = {f"other-{number:03}": "1" for number in range(120)}
"""With LONG before it: 240 actions, three transactions."""


def shown(lines: dict[str, str]) -> dict[str, dict[str, str]]:
    return {f"o/{sku}": {"n": n} for sku, n in lines.items()}


async def begun() -> RowsBench:
    bench = RowsBench(**BY_LINE)
    assert await bench.processor().process([change("o", 1, lined(LONG))]) == [APPLIED]
    assert bench.dynamodb.calls.count("TransactWriteItems") == 2
    return bench


def says_what_is_there(bench: RowsBench) -> bool:
    there = {text_of(*key.split("/")) for key in bench.rows()}
    return bench.held("o") == there


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_after_a_crash_at_any_step_the_ledger_says_what_is_there_and_the_rest_follows(
    lost: int, *, is_done: bool
) -> None:
    bench = await begun()
    flaky = Flaky(bench.dynamodb, "TransactWriteItems", lost=lost, is_done=is_done)
    write = change("o", 2, lined(OTHER))
    (outcome,) = await bench.processor(flaky).process([write])
    assert outcome.kind == "failed"
    assert says_what_is_there(bench)

    expected = STALE if lost == 3 and is_done else APPLIED

    assert await bench.processor().process([write]) == [expected]
    assert bench.rows() == shown(OTHER)
    assert says_what_is_there(bench)


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_an_order_that_is_deleted_halfway_leaves_nothing(steps: int) -> None:
    bench = await begun()
    flaky = Flaky(bench.dynamodb, "TransactWriteItems", lost=steps + 1, is_done=False)
    await bench.processor(flaky).process([change("o", 2, lined(OTHER))])
    assert await bench.processor().process([change("o", 3, None)]) == [APPLIED]
    assert bench.view.rows == {}
    assert await bench.processor().process([change("o", 2, lined(OTHER))]) == [STALE]


@pytest.mark.parametrize("before", [1, 2, 3])
async def test_a_newer_change_between_two_steps_wins(before: int) -> None:
    bench = await begun()
    other = bench.processor()
    newer = {"b": "2"} | dict(list(OTHER.items())[:50])
    between = Between(bench.dynamodb, lambda: other.process([change("o", 3, lined(newer))]), before)

    assert await bench.processor(between).process([change("o", 2, lined(OTHER))]) == [STALE]

    assert bench.rows() == shown(newer)
    assert says_what_is_there(bench)


@pytest.mark.parametrize("before", [2, 3])
async def test_an_older_change_between_two_steps_is_overtaken(before: int) -> None:
    bench = await begun()
    other = bench.processor()
    between = Between(bench.dynamodb, lambda: other.process([change("o", 2, lined({"b": "2"}))]), before)

    assert await bench.processor(between).process([change("o", 3, lined(OTHER))]) == [APPLIED]

    assert bench.rows() == shown(OTHER)
    assert says_what_is_there(bench)


async def test_two_writers_of_one_change_come_to_one_end() -> None:
    bench = await begun()
    other = bench.processor()
    write = change("o", 2, lined(OTHER))
    between = Between(bench.dynamodb, lambda: other.process([write]), before=2)
    assert await bench.processor(between).process([write]) == [STALE]
    assert bench.rows() == shown(OTHER)


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_step_whose_answer_was_lost_is_known_again(lost: int) -> None:
    bench = await begun()
    processor = bench.processor(Retried(bench.dynamodb, lost))
    assert await processor.process([change("o", 2, lined(OTHER))]) == [APPLIED]
    assert bench.rows() == shown(OTHER)
    assert bench.conflicts == 0


async def test_nothing_is_begun_between_two_steps_once_the_process_is_to_stop() -> None:
    bench = await begun()

    async def stop() -> None:
        bench.is_stopping = True

    between = Between(bench.dynamodb, stop, before=2)
    assert await bench.processor(between).process([change("o", 2, lined(OTHER))]) == [HELD]
    assert says_what_is_there(bench)
    assert bench.rows() != shown(OTHER)
    calls = len(bench.dynamodb.calls)

    assert await bench.processor().process([change("o", 2, lined(OTHER))]) == [HELD]

    assert len(bench.dynamodb.calls) == calls
    bench.is_stopping = False
    assert await bench.processor().process([change("o", 2, lined(OTHER))]) == [APPLIED]
    assert bench.rows() == shown(OTHER)


async def test_rows_of_many_bytes_go_in_steps_too() -> None:
    bench = RowsBench(**BY_LINE)
    large = {f"sku-{number}": "x" * 350_000 for number in range(15)}
    assert await bench.processor().process([change("o", 1, lined(large))]) == [APPLIED]
    assert bench.rows() == shown(large)
    assert bench.dynamodb.calls.count("TransactWriteItems") == 2


async def test_a_row_that_dynamodb_cannot_hold_is_the_records_fault() -> None:
    bench = RowsBench(**BY_LINE)
    (outcome,) = await bench.processor().process([change("o", 1, lined({"a": "x" * 420_000}))])
    assert getattr(outcome.error, "by_store", None) is False
    assert bench.view.rows == {}


async def test_a_key_that_is_taken_is_found_out_at_any_step() -> None:
    bench = await begun()
    last = list(OTHER)[-1]
    theirs: Image = {
        "id": {"S": "o"},
        "sku": {"S": last},
        "n": {"S": "theirs"},
        RESERVED: {"M": {"o": {"S": "p"}}},
    }
    bench.view.put(theirs)

    (outcome,) = await bench.processor().process([change("o", 2, lined(OTHER))])

    assert getattr(outcome.error, "code", None) == "KeyTaken"
    bench.view.delete(theirs)
    assert says_what_is_there(bench)
    assert not bench.rows().keys() & shown(LONG).keys()
    assert await bench.processor().process([change("o", 2, lined(OTHER))]) == [APPLIED]
    assert bench.rows() == shown(OTHER)


async def test_an_item_of_more_rows_than_an_entry_can_hold_is_rejected_with_none_of_them_written() -> None:
    bench = RowsBench(**BY_LINE)
    rows = {f"{number:05}{'x' * 80}": "1" for number in range(4_000)}
    (outcome,) = await bench.processor().process([change("o", 1, lined(rows))])
    assert getattr(outcome.error, "code", None) == "EntryTooLarge"
    assert getattr(outcome.error, "by_store", None) is False
    assert (bench.rows(), bench.ledger.rows) == ({}, {})
