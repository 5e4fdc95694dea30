import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from consumer.commands.demo.orders import Order, OrderBook, Write, item_of

MORNING = datetime(2026, 1, 31, 8, tzinfo=UTC)


def play(writes: int) -> tuple[OrderBook, list[Write], dict[str, dict[str, Any]]]:
    """A book after so many writes, the writes, and the table they make."""
    book = OrderBook("orders", random.Random(7))
    done: list[Write] = []
    table: dict[str, dict[str, Any]] = {}
    for number in range(writes):
        write = book.next_write(MORNING + timedelta(seconds=number))
        carry_out(write, table)
        book.done(write)
        done.append(write)
    return book, done, table


def carry_out(write: Write, table: dict[str, dict[str, Any]]) -> None:
    """What DynamoDB would do; fails where it would do nothing, since that makes no change record."""
    key = write.order.order_id
    if write.operation == "PutItem":
        assert key not in table
        table[key] = write.request["Item"]
    elif write.operation == "DeleteItem":
        del table[key]
    else:
        values = write.request["ExpressionAttributeValues"]
        after = {**table[key], **{name.removeprefix(":"): value for name, value in values.items()}}
        assert after != table[key]
        table[key] = after


def test_every_write_changes_the_table() -> None:
    book, _, table = play(3000)

    assert book.size == len(table) == len(book.idle)


def test_four_in_ten_writes_place_an_order_and_the_rest_change_more_than_they_delete() -> None:
    _, writes, _ = play(4000)

    count = Counter(write.operation for write in writes)

    assert 0.37 < count["PutItem"] / 4000 < 0.43
    assert 0.42 < count["UpdateItem"] / 4000 < 0.48
    assert 0.12 < count["DeleteItem"] / 4000 < 0.18


def test_an_order_with_a_write_under_way_is_left_alone() -> None:
    book = OrderBook("orders", random.Random(7))
    under_way = [book.next_write(MORNING) for _ in range(500)]

    assert len({write.order.order_id for write in under_way}) == 500


def test_a_total_is_the_sum_of_the_order_s_lines() -> None:
    _, _, table = play(2000)

    for item in table.values():
        lines = [line["M"] for line in item["items"]["L"]]
        total = sum(Decimal(line["price"]["N"]) * int(line["quantity"]["N"]) for line in lines)
        assert Decimal(item["totalPrice"]["N"]) == total


def test_the_same_seed_makes_the_same_orders() -> None:
    assert play(200)[2] == play(200)[2]


def test_an_order_expires_90_days_after_it_was_placed() -> None:
    order = Order(number=1, customer=2, created=MORNING, quantities={"cup": 1})

    assert item_of(order, MORNING)["expiresAt"] == {"N": str(int((MORNING + timedelta(days=90)).timestamp()))}
