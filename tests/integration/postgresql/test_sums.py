"""An aggregate's sums in a real PostgreSQL."""

import asyncio
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from consumer.errors import Rejected, SettingsError
from consumer.processors.base import Above
from consumer.record import Granularity
from tests.support.sql_model import SqlModel, change, image, kinds, query

MS = Granularity.MILLISECOND
LARGEST = Decimal("9" * 38)
SALES: Mapping[str, Any] = {
    "group_by": {"day": "new.day"},
    "add": {"orders": "`1`", "revenue": "new.total"},
}
STOCK: Mapping[str, Any] = {
    "when": "new.status != 'CANCELLED'",
    "for_each": "new.lines",
    "group_by": {"sku": "item.sku"},
    "add": {"reserved": "item.n"},
    "warn_above": {"reserved": "on_hand"},
}


@pytest.fixture
def sales(database: str) -> SqlModel:
    return SqlModel(database, SALES, kind="aggregate", name="sales", store={"types": {"day": "date"}})


@pytest.fixture
def stock(database: str) -> SqlModel:
    return SqlModel(database, STOCK, kind="aggregate", name="stock", store={"types": {"sku": "text"}})


def order(item: str, micros: int, day: str, total: object, old: tuple[str, object] | None = None) -> Any:  # noqa: ANN401 - as given
    was = None if old is None else {"day": old[0], "total": old[1]}
    return change(item, micros, {"day": day, "total": total}, was)


def shown(model: SqlModel) -> dict[str, tuple[Any, ...]]:
    return {str(key): tuple(sums) for key, *sums in model.rows()}


async def test_items_count_in_their_groups_once(sales: SqlModel) -> None:
    orders = [order("a", 5, "2026-02-03", 10), order("b", 5, "2026-02-03", 5), order("c", 5, "2026-02-04", 1)]
    async with sales.open() as processor:
        assert await kinds(processor, *orders) == ["applied"] * 3
        assert await kinds(processor, *orders) == ["stale"] * 3
    assert shown(sales) == {"2026-02-03": (2, 15), "2026-02-04": (1, 1)}


async def test_a_change_adds_the_difference_and_moves_between_groups(sales: SqlModel) -> None:
    async with sales.open() as processor:
        await kinds(processor, order("a", 5, "2026-02-03", 10), order("b", 5, "2026-02-03", 5))
        await kinds(processor, order("a", 6, "2026-02-03", Decimal("2.5"), ("2026-02-03", 10)))
        assert shown(sales) == {"2026-02-03": (2, Decimal("7.5"))}
        await kinds(processor, order("a", 7, "2026-02-04", 3, ("2026-02-03", Decimal("2.5"))))
        assert shown(sales) == {"2026-02-03": (1, 5), "2026-02-04": (1, 3)}
        await kinds(processor, change("a", 8, None, {"day": "2026-02-04", "total": 3}))
    assert shown(sales) == {"2026-02-03": (1, 5), "2026-02-04": (0, 0)}


async def test_a_late_change_counts_nothing_and_a_deleted_item_stays_uncounted(sales: SqlModel) -> None:
    async with sales.open() as processor:
        await kinds(processor, order("a", 7, "2026-02-03", 3))
        assert await kinds(processor, order("a", 5, "2026-02-03", 10)) == ["stale"]
        await kinds(processor, change("a", 9, None, {"day": "2026-02-03", "total": 3}))
        assert await kinds(processor, order("a", 8, "2026-02-03", 1)) == ["stale"]
    assert shown(sales) == {"2026-02-03": (0, 0)}


async def test_a_tie_ends_at_what_the_source_says(sales: SqlModel) -> None:
    async with sales.open() as processor:
        first = change("a", 5_000, {"day": "2026-02-03", "total": 1}, granularity=MS)
        await kinds(processor, first)
        sales.source.put(image("a", {"day": "2026-02-03", "total": 7}))
        second = change("a", 5_000, {"day": "2026-02-03", "total": 2}, {"day": "2026-02-03"}, granularity=MS)
        assert await kinds(processor, second) == ["applied"]
    assert shown(sales) == {"2026-02-03": (1, 7)}


async def test_keys_that_are_one_in_the_column_are_one_group_in_a_batch_too(sales: SqlModel) -> None:
    async with sales.open() as processor:
        both = order("a", 5, "2026-02-03", 1), order("b", 5, "20260203", 2)
        assert await kinds(processor, *both) == ["applied", "applied"]
    assert shown(sales) == {"2026-02-03": (2, 3)}


async def test_what_others_keep_in_the_row_stays_as_it_is(stock: SqlModel) -> None:
    await stock.make()
    stock.query("ALTER TABLE stock ADD COLUMN note text DEFAULT 'new'")
    stock.query("INSERT INTO stock (sku, on_hand, note) VALUES ('x', 5, 'mine')")
    async with stock.open() as processor:
        await kinds(processor, change("a", 5, {"lines": [{"sku": "x", "n": 2}, {"sku": "y", "n": 1}]}))
    assert stock.rows() == [("x", 2, 5, "mine"), ("y", 1, None, "new")]


async def test_reserved_stock_follows_its_orders_lines_and_their_status(stock: SqlModel) -> None:
    two = {"status": "NEW", "lines": [{"sku": "x", "n": 2}, {"sku": "y", "n": 1}, {"sku": "x", "n": 3}]}
    one = {"status": "NEW", "lines": [{"sku": "y", "n": 4}]}
    async with stock.open() as processor:
        await kinds(processor, change("a", 5, two))
        assert [row[:2] for row in stock.rows()] == [("x", 5), ("y", 1)]
        await kinds(processor, change("a", 6, one, two))
        assert [row[:2] for row in stock.rows()] == [("x", 0), ("y", 4)]
        await kinds(processor, change("a", 7, {**one, "status": "CANCELLED"}, one))
    assert [row[:2] for row in stock.rows()] == [("x", 0), ("y", 0)]


async def test_a_sum_above_the_number_beside_it_is_written_and_told(stock: SqlModel) -> None:
    await stock.make()
    stock.query("INSERT INTO stock (sku, on_hand) VALUES ('x', 5), ('y', 5)")
    async with stock.open() as processor:
        await kinds(processor, change("a", 5, {"lines": [{"sku": "x", "n": 6}, {"sku": "y", "n": 5}]}))
    assert stock.above == [Above("reserved", '["x"]', Decimal(6), "on_hand", Decimal(5))]
    assert [row[:2] for row in stock.rows()] == [("x", 6), ("y", 5)]


async def test_a_sum_of_38_digits_is_exact_and_one_of_more_is_the_records_fault_by_name(
    sales: SqlModel,
) -> None:
    async with sales.open() as processor:
        assert await kinds(processor, order("a", 5, "2026-02-03", LARGEST)) == ["applied"]
        (outcome,) = await processor.process([order("b", 5, "2026-02-03", 2)])
        assert isinstance(outcome.error, Rejected)
        assert (outcome.error.code, outcome.error.by_store) == ("SumOutOfRange", False)
        assert f'the sum revenue of group ["2026-02-03"] would be 1{"0" * 37}1' in str(outcome.error)
        assert await kinds(processor, order("b", 5, "2026-02-03", Decimal("-1E-5"))) == ["SumOutOfRange"]
        assert shown(sales) == {"2026-02-03": (1, LARGEST)}
        assert await kinds(processor, order("b", 5, "2026-02-03", LARGEST.copy_negate())) == ["applied"]
    assert shown(sales) == {"2026-02-03": (2, 0)}


async def test_of_several_records_the_one_that_takes_a_sum_out_of_range_is_found_by_halves(
    sales: SqlModel,
) -> None:
    async with sales.open() as processor:
        await kinds(processor, order("a", 5, "2026-02-03", LARGEST))
        with pytest.raises(Rejected, match="the sum revenue of group"):
            await processor.process([order("b", 5, "2026-02-03", 2), order("c", 5, "2026-02-04", 1)])
        assert await kinds(processor, order("c", 5, "2026-02-04", 1)) == ["applied"]


@pytest.mark.parametrize(
    ("type_", "before", "value", "words"),
    [
        ("numeric(5,2)", 999, 1, 'revenue of group [["S","2026-02-03"]] does not fit its column'),
        ("integer", 2_147_483_647, 1, "integer out of range"),
        ("smallint", 0, 40_000, "smallint"),
        (
            "numeric(5,2)",
            0,
            Decimal("0.005"),
            "takes 0.005, which its column of type numeric(5,2) would round",
        ),
        ("bigint", 0, Decimal("0.5"), "takes 0.5, which its column of type bigint would round"),
    ],
)
async def test_a_sum_that_its_column_cannot_hold_is_the_records_fault_by_name(
    database: str, type_: str, before: int, value: object, words: str
) -> None:
    store = {"types": {"day": "date", "revenue": type_}}
    model = SqlModel(database, SALES, kind="aggregate", name="sales", store=store)
    async with model.open() as processor:
        await kinds(processor, order("a", 5, "2026-02-03", before))
        (outcome,) = await processor.process([order("b", 5, "2026-02-03", value)])
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.code == "SumOutOfRange"
        assert words in str(outcome.error)
    assert shown(model) == {"2026-02-03": (1, before)}


async def test_an_expiry_that_is_kept_leaves_what_was_counted(database: str) -> None:
    settings = {**SALES, "on_expiry": "keep"}
    model = SqlModel(database, settings, kind="aggregate", name="sales", store={"types": {"day": "date"}})
    async with model.open() as processor:
        await kinds(processor, order("a", 5, "2026-02-03", 10))
        gone = change("a", 6, None, {"day": "2026-02-03", "total": 10}, by_ttl=True)
        assert await kinds(processor, gone) == ["applied"]
        assert shown(model) == {"2026-02-03": (1, 10)}
        assert model.query("SELECT expires FROM sales_tidemark WHERE item = 'a'") == [(None,)]
        await kinds(processor, order("a", 7, "2026-02-03", 4))
    assert shown(model) == {"2026-02-03": (1, 4)}


async def test_two_writers_in_any_order_count_each_item_once(sales: SqlModel) -> None:
    """Shown to count twice where the write is conditioned on `<` alone: 40 for 30."""
    days = ("2026-02-03", "2026-02-04")
    values: dict[str, tuple[str, int]] = {}
    changes = []
    chance = random.Random(5)
    for micros in range(100, 220):
        item, new = f"i{micros % 9}", (chance.choice(days), chance.randrange(50))
        changes.append(order(item, micros, *new, old=values.get(item)))
        values[item] = new
    async with sales.open() as one, sales.open() as other:

        async def deliver(seed: int) -> None:
            shuffled = random.Random(seed).sample(changes, len(changes))
            for at in range(0, len(shuffled), 7):
                ends = await kinds((one, other)[seed % 2], *shuffled[at : at + 7])
                assert set(ends) <= {"applied", "stale"}

        await asyncio.gather(*map(deliver, range(6)))
    truth = {day: [total for group, total in values.values() if group == day] for day in days}
    assert shown(sales) == {day: (len(totals), sum(totals)) for day, totals in truth.items()}


async def test_a_table_of_sums_is_made_with_its_numbers_and_without_an_owner(stock: SqlModel) -> None:
    await stock.make()
    text = """SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = 'stock'::regclass AND attnum > 0 ORDER BY attnum"""
    assert stock.query(text) == [("sku", "text"), ("reserved", "numeric"), ("on_hand", "numeric")]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            "day date PRIMARY KEY, orders integer, revenue double precision",
            'ALTER COLUMN "revenue" TYPE numeric',
        ),
        ("day date PRIMARY KEY, orders integer", 'ADD COLUMN "revenue" numeric'),
        ("day date PRIMARY KEY, orders integer, revenue numeric", 'column "most", which `warn_above` names'),
    ],
)
async def test_a_column_that_sums_can_not_stand_in_is_refused(database: str, made: str, told: str) -> None:
    query(database, f"CREATE TABLE sales ({made})")
    settings = {**SALES, "warn_above": {"orders": "most"}}
    with pytest.raises(SettingsError, match=told.replace("(", r"\(")):
        await SqlModel(database, settings, kind="aggregate", name="sales", store={"create": False}).make()


async def test_nothing_is_begun_once_it_is_time_to_stop(sales: SqlModel) -> None:
    async with sales.open(is_stopping=lambda: True) as processor:
        assert await kinds(processor, order("a", 5, "2026-02-03", 1)) == ["held"]
    assert sales.rows() == []


async def test_an_item_that_could_not_be_counted_leaves_nothing_in_the_ledger(database: str) -> None:
    store = {"types": {"day": "date", "revenue": "bigint"}}
    model = SqlModel(database, SALES, kind="aggregate", name="sales", store=store)
    async with model.open() as processor:
        both = order("a", 5, "2026-02-03", Decimal("0.5")), order("b", 5, "2026-02-03", 1)
        assert await kinds(processor, *both) == ["SumOutOfRange", "applied"]
    assert model.query("SELECT item FROM sales_tidemark ORDER BY item") == [("",), ("b",)]


async def test_a_tie_with_what_an_expiry_left_counted_leaves_it_where_the_item_is_gone(database: str) -> None:
    settings = {**SALES, "on_expiry": "keep"}
    model = SqlModel(database, settings, kind="aggregate", name="sales", store={"types": {"day": "date"}})
    values = {"day": "2026-02-03", "total": 10}
    async with model.open() as processor:
        await kinds(processor, change("a", 5_000, None, values, granularity=MS, by_ttl=True))
        other = change("a", 5_000, {**values, "total": 7}, values, granularity=MS)
        assert await kinds(processor, other) == ["applied"]  # by the source, which has no such item
    assert shown(model) == {"2026-02-03": (1, 10)}
