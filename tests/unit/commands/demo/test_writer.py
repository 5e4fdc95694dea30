import random

from consumer.commands.demo.orders import OrderBook
from consumer.commands.demo.writer import Pacer, Writer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Table:
    """Takes calls; stops the writer after some."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.operations: list[str] = []
        self.writer: Writer | None = None

    async def call(self, operation: str, _request: object) -> object:
        self.operations.append(operation)
        if len(self.operations) == self.calls and self.writer is not None:
            self.writer.stop()
        return None


def test_turns_come_at_the_rate_asked_for() -> None:
    pacer = Pacer(10, Clock())

    assert [round(pacer.delay(), 6) for _ in range(3)] == [0.1, 0.2, 0.3]


def test_a_short_delay_is_caught_up() -> None:
    clock = Clock()
    pacer = Pacer(10, clock)
    clock.now += 0.35

    assert [round(pacer.delay(), 6) for _ in range(4)] == [0, 0, 0, 0.05]


def test_a_long_stop_is_not_followed_by_a_burst() -> None:
    clock = Clock()
    pacer = Pacer(10, clock)
    clock.now += 60

    assert [pacer.delay() for _ in range(20)].count(0) <= 11


async def test_all_that_was_begun_is_counted_when_the_writer_stops() -> None:
    table = Table(calls=50)
    table.writer = Writer(table, OrderBook("orders", random.Random(1)))

    await table.writer.run(100_000)

    assert table.writer.written == len(table.operations) >= 50
    assert table.writer.rate_reached > 0
