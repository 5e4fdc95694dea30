"""Sums above their numbers: counted each time, said once a minute a row."""

from decimal import Decimal
from io import BytesIO

import orjson

from consumer.log import open_log
from consumer.processors.base import Above
from consumer.shard.above import SumsAbove

LAMP = Above("reserved", '[["S","lamp"]]', Decimal("5.5"), "on_hand", Decimal(5))
DESK = LAMP._replace(group='[["S","desk"]]')


class Warehouse:
    """What is counted and said, at times that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.counted: list[str] = []
        self._stream = BytesIO()
        self.sums = SumsAbove("stock", self.counted.append, open_log(self._stream), lambda: self.now)

    def said(self) -> list[str]:
        lines = self._stream.getvalue().splitlines()
        return [orjson.loads(line)["group"] for line in lines]

    def last_line(self) -> dict[str, str]:
        line: dict[str, str] = orjson.loads(self._stream.getvalue().splitlines()[-1])
        return line


def test_a_row_is_said_once_a_minute_and_counted_each_time() -> None:
    warehouse = Warehouse()
    for now in (1_000.0, 1_059.9, 1_060.0, 1_119.9):
        warehouse.now = now
        warehouse.sums.tell(LAMP)
    assert warehouse.counted == ["reserved"] * 4
    assert len(warehouse.said()) == 2


def test_each_row_and_each_sum_of_it_is_said_by_itself() -> None:
    warehouse = Warehouse()
    for above in (LAMP, DESK, LAMP._replace(name="promised"), LAMP):
        warehouse.sums.tell(above)
    assert warehouse.said() == [LAMP.group, DESK.group, LAMP.group]


def test_the_log_says_group_and_numbers() -> None:
    warehouse = Warehouse()
    warehouse.sums.tell(LAMP)
    line = warehouse.last_line()
    assert (line["level"], line["event"]) == ("warning", "a sum is above its number")
    assert (line["processor"], line["group"], line["sum"], line["number"]) == (
        "stock",
        LAMP.group,
        "reserved = 5.5",
        "on_hand = 5",
    )


def test_a_thousand_rows_a_minute_are_said_and_more_are_counted() -> None:
    warehouse = Warehouse()
    for number in range(1_500):
        warehouse.sums.tell(LAMP._replace(group=str(number)))
    assert (len(warehouse.said()), len(warehouse.counted)) == (1_000, 1_500)
    warehouse.now += 60
    warehouse.sums.tell(LAMP)
    assert warehouse.said()[1_000:] == [LAMP.group]
