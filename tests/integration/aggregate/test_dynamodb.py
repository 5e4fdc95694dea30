"""Aggregates on the sandbox's DynamoDB, from the table's own change records to the sums."""

import time

import orjson
import pytest

from consumer.record import Image
from tests.integration.aggregate.conftest import RESERVED_STOCK, SALES, MakeShop
from tests.support.waiting import eventually


def order(name: str, day: str, total: str, **more: dict[str, object]) -> Image:
    return {"id": {"S": name}, "day": {"S": day}, "total": {"N": total}, **more}


def of_lines(name: str, *lines: tuple[str, str], status: str = "OPEN") -> Image:
    parts = [{"M": {"productId": {"S": product}, "quantity": {"N": quantity}}} for product, quantity in lines]
    return {"id": {"S": name}, "status": {"S": status}, "lines": {"L": parts}}


async def test_a_hot_group_is_exact_over_eight_lanes_and_two_shards_and_a_replay(shop_of: MakeShop) -> None:
    shop = shop_of(SALES, shards=2)
    shop.write(*(order(f"o{number}", "monday", "0.10") for number in range(300)))
    shop.write(*(order(f"o{number}", "monday", "0.25") for number in range(100)))
    for number in range(20):
        shop.delete(f"o{number}")
    expected = {"monday": {"orders": "280", "revenue": "40"}}
    shards = shop.records()
    assert all(shards)
    await shop.deliver(*shards)
    assert shop.rows() == expected
    await shop.deliver(*shards, *(list(reversed(records)) for records in shards))
    assert shop.rows() == expected
    assert not shop.letters.exists()


async def test_sums_of_38_digits_are_exact_and_one_of_39_goes_to_the_dead_letter_by_name(
    shop_of: MakeShop,
) -> None:
    shop = shop_of(SALES)
    nines = "9" * 38
    shop.write(order("large", "monday", nines), order("small", "tuesday", "1E-130"))
    await shop.deliver(*shop.records())
    assert shop.rows()["monday"]["revenue"] == nines
    shop.write(order("one too many", "monday", "1E-5"), order("less", "monday", "-9"))
    (records,) = shop.records()
    await shop.deliver(records[2:])
    assert shop.rows()["monday"] == {"orders": "2", "revenue": "9" * 37 + "0"}
    (letter,) = [
        orjson.loads(line) for path in shop.letters.parent.glob("letters*") for line in path.open("rb")
    ]
    assert letter["error"]["code"] == "SumOutOfRange"
    assert 'the sum revenue of group [["S","monday"]]' in letter["error"]["message"]


async def test_an_order_of_120_lines_reserves_and_lets_go_in_steps_beside_what_others_keep(
    shop_of: MakeShop,
) -> None:
    shop = shop_of(RESERVED_STOCK)
    shop.put_sums({"productId": {"S": "p000"}, "on_hand": {"N": "1"}, "name": {"S": "lamp"}})
    shop.put_sums({"productId": {"S": "p001"}, "on_hand": {"N": "2"}})
    lines = [(f"p{number:03}", "2") for number in range(120)]
    shop.write(of_lines("large", *lines), of_lines("small", ("p000", "0.5"), ("p000", "0.5")))
    await shop.deliver(*shop.records())
    rows = shop.rows()
    assert len(rows) == 120
    assert rows["p000"] == {"on_hand": "1", "name": "lamp", "reserved": "3"}
    assert rows["p119"] == {"reserved": "2"}
    assert shop.counter("sums_above", processor="sums", sum="reserved") >= 1
    (said,) = [line for line in shop.log.getvalue().splitlines() if b"a sum is above its number" in line]
    assert orjson.loads(said)["group"] == '[["S","p000"]]'
    shop.write(of_lines("large", *lines, status="CANCELLED"))
    (records,) = shop.records()
    await shop.deliver(records[2:])
    rows = shop.rows()
    assert rows["p000"] == {"on_hand": "1", "name": "lamp", "reserved": "1"}
    assert {row["reserved"] for product, row in rows.items() if product != "p000"} == {"0"}


@pytest.mark.parametrize(
    ("on_expiry", "expected"),
    [("keep", {"orders": "2", "revenue": "9"}), ("remove", {"orders": "1", "revenue": "2"})],
)
async def test_what_an_expired_item_counted_is_kept_or_taken_back_as_the_settings_say(
    shop_of: MakeShop, on_expiry: str, expected: dict[str, str]
) -> None:
    shop = shop_of({**SALES, "on_expiry": on_expiry}, expires=True)
    shop.write(order("stays", "monday", "2"), order("expires", "monday", "5"))
    shop.write(order("expires", "monday", "7", expires={"N": str(int(time.time()) - 1)}))
    (records,) = eventually(lambda: [records for records in shop.records() if len(records) == 4])
    await shop.deliver(records[:2])
    await shop.deliver(records[2:])
    assert shop.rows() == {"monday": expected}
    await shop.deliver(list(reversed(records)))
    assert shop.rows() == {"monday": expected}
