"""The projection from change to rows whose keys move, and to a row for each element, by a ledger."""

import pytest

from consumer.attributes import RESERVED
from consumer.processors.base import APPLIED, SKIPPED, STALE
from consumer.record import Granularity
from tests.unit.processors.rows_bench import (
    BY_CODE,
    BY_LINE,
    LEDGER,
    VIEW,
    Between,
    Flaky,
    Retried,
    RowsBench,
    Watched,
    actions_on,
    change,
    coded,
    lined,
    text_of,
)

MS = Granularity.MILLISECOND


@pytest.fixture
def codes() -> RowsBench:
    return RowsBench(**BY_CODE)


@pytest.fixture
def orders() -> RowsBench:
    return RowsBench(**BY_LINE)


async def test_a_row_moves_with_its_key_and_goes_with_its_item(codes: RowsBench) -> None:
    processor = codes.processor()
    assert await processor.process([change("a", 1, coded("x", "1"))]) == [APPLIED]
    assert codes.rows() == {"x": {"v": "1"}}
    assert await processor.process([change("a", 2, coded("y", "2"))]) == [APPLIED]
    assert codes.rows() == {"y": {"v": "2"}}
    assert await processor.process([change("a", 3, None)]) == [APPLIED]
    assert codes.view.rows == {}


async def test_a_late_change_and_a_duplicate_are_stale_and_bring_nothing_back(codes: RowsBench) -> None:
    processor = codes.processor()
    changes = [change("a", 1, coded("x")), change("a", 2, coded("y")), change("a", 3, None)]
    assert await processor.process(changes) == [APPLIED] * 3
    assert await codes.processor().process(changes[::-1]) == [STALE] * 3
    assert codes.view.rows == {}


async def test_each_element_has_a_row_and_one_that_vanishes_takes_it_along(orders: RowsBench) -> None:
    processor = orders.processor()
    await processor.process([change("o", 1, lined({"a": "1", "b": "2", "c": "3"}))])
    assert orders.rows() == {"o/a": {"n": "1"}, "o/b": {"n": "2"}, "o/c": {"n": "3"}}
    await processor.process([change("o", 2, lined({"b": "2", "c": "9"}))])
    assert orders.rows() == {"o/b": {"n": "2"}, "o/c": {"n": "9"}}
    await processor.process([change("o", 3, lined({}))])
    assert orders.rows() == {}
    assert orders.held("o") == set()


async def test_what_did_not_change_of_a_long_order_is_not_written_again(orders: RowsBench) -> None:
    lines = {f"sku-{number}": "1" for number in range(120)}
    await orders.processor().process([change("o", 1, lined(lines))])
    watched = Watched(orders.dynamodb)

    await orders.processor(watched).process([change("o", 2, lined(lines | {"sku-7": "2"}))])

    (transaction,) = watched.transactions
    assert actions_on(LEDGER, transaction) == ["Put"]
    assert actions_on(VIEW, transaction) == ["Put"]
    assert orders.rows()["o/sku-7"] == {"n": "2"}


async def test_a_row_names_its_item_and_nothing_else_of_ours(orders: RowsBench) -> None:
    await orders.processor().process([change("o", 1, lined({"a": "1"}))])
    row = orders.view.row(id="o", sku="a")
    assert row == {"id": {"S": "o"}, "sku": {"S": "a"}, "n": {"S": "1"}, RESERVED: {"M": {"o": {"S": "o"}}}}


async def test_an_item_that_leaves_takes_its_row_along_and_comes_back_with_a_newer_change() -> None:
    bench = RowsBench(**BY_CODE, when="new.v != 'out'")
    processor = bench.processor()
    await processor.process([change("a", 1, coded("x"))])
    assert await processor.process([change("a", 3, coded("x", "out"))]) == [APPLIED]
    assert bench.rows() == {}
    assert await processor.process([change("a", 2, coded("x", "2"))]) == [STALE]
    assert await processor.process([change("a", 4, coded("x", "4"))]) == [APPLIED]
    assert bench.rows() == {"x": {"v": "4"}}


async def test_the_entry_of_an_item_without_rows_expires_only_if_the_item_is_gone(orders: RowsBench) -> None:
    processor = orders.processor()
    await processor.process(
        [change("empty", 1, lined({})), change("gone", 1, lined({})), change("gone", 2, None)]
    )
    empty, gone = orders.entry("empty"), orders.entry("gone")
    assert empty is not None
    assert gone is not None
    assert "expires" not in empty
    assert "expires" in gone


async def test_what_is_none_of_its_business_asks_nothing_of_the_store() -> None:
    bench = RowsBench(**BY_CODE, when="new.before == 'never'")
    assert await bench.processor().process([change("a", 1, coded("x"))]) == [SKIPPED]
    assert bench.dynamodb.calls == []


async def test_a_batch_reads_its_entries_at_once_and_writes_each_item_by_itself(codes: RowsBench) -> None:
    changes = [change(f"item-{number}", 1, coded(f"code-{number}")) for number in range(50)]
    assert await codes.processor().process(changes) == [APPLIED] * 50
    assert codes.dynamodb.calls == ["BatchGetItem"] + ["TransactWriteItems"] * 50


async def test_ties_are_settled_by_the_source(codes: RowsBench) -> None:
    processor = codes.processor()
    await processor.process([change("a", 5_000, coded("x"), MS)])
    codes.source.put({"id": {"S": "a"}, **coded("z", "now")})

    assert await processor.process([change("a", 5_000, coded("y"), MS)]) == [APPLIED]

    assert codes.rows() == {"z": {"v": "now"}}
    assert await processor.process([change("a", 5_000, coded("x"), MS)]) == [APPLIED]


async def test_a_change_of_a_finer_clock_ties_with_all_of_its_millisecond(codes: RowsBench) -> None:
    processor = codes.processor()
    await processor.process([change("a", 5_000, coded("x"), MS)])
    codes.source.put({"id": {"S": "a"}, **coded("y", "now")})
    assert await processor.process([change("a", 5_400, coded("y", "now"))]) == [APPLIED]
    assert await processor.process([change("a", 5_300, coded("z"))]) == [APPLIED]
    assert codes.rows() == {"y": {"v": "now"}}


async def test_a_tie_that_cannot_be_settled_goes_to_a_person(codes: RowsBench) -> None:
    processor = codes.processor(readable=False)
    await processor.process([change("a", 5_000, coded("x"), MS)])
    (outcome,) = await processor.process([change("a", 5_000, coded("y"), MS)])
    assert outcome.error is not None
    assert getattr(outcome.error, "code", None) == "VersionTie"


async def test_a_write_whose_answer_was_lost_is_known_again(codes: RowsBench) -> None:
    processor = codes.processor(Retried(codes.dynamodb))
    assert await processor.process([change("a", 1, coded("x"))]) == [APPLIED]
    assert codes.conflicts == 0
    assert codes.rows() == {"x": {"v": "1"}}


async def test_a_tie_whose_answer_was_lost_is_known_again(codes: RowsBench) -> None:
    await codes.processor().process([change("a", 5_000, coded("x"), MS)])
    codes.source.put({"id": {"S": "a"}, **coded("y", "now")})
    processor = codes.processor(Retried(codes.dynamodb))
    assert await processor.process([change("a", 5_000, coded("y"), MS)]) == [APPLIED]
    assert codes.rows() == {"y": {"v": "now"}}


@pytest.mark.parametrize(("theirs", "outcome", "code"), [(2, APPLIED, "mine"), (9, STALE, "theirs")])
async def test_another_writer_between_read_and_write_is_seen(
    codes: RowsBench, theirs: int, outcome: object, code: str
) -> None:
    await codes.processor().process([change("a", 1, coded("first"))])
    other = codes.processor()
    between = Between(codes.dynamodb, lambda: other.process([change("a", theirs, coded("theirs"))]))

    assert await codes.processor(between).process([change("a", 5, coded("mine"))]) == [outcome]

    assert codes.rows().keys() == {code}
    assert codes.held("a") == {text_of(code)}
    assert codes.conflicts == 1


async def test_an_outage_of_the_ledger_is_each_writes_outage(codes: RowsBench) -> None:
    flaky = Flaky(codes.dynamodb, "BatchGetItem", lost=1, is_done=False)
    outcomes = await codes.processor(flaky).process([change("a", 1, coded("x")), change("b", 1, coded("y"))])
    assert [outcome.error is not None for outcome in outcomes] == [True, True]
    assert codes.dynamodb.calls == []
