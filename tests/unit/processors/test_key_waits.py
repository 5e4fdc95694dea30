"""How long an item waits for a key that another item has, and what is remembered of that."""

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.projection.waits import KeyWaits


class Waiting:
    """Waits of a minute at most, at a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits = KeyWaits(lambda: self.now, 60.0)

    def at(self, now: float, item: str, key: str) -> type[Rejected | Unavailable]:
        self.now = now
        return type(self.waits.error(item, key))


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_a_wait_has_an_end_and_stays_ended(waiting: Waiting) -> None:
    assert [waiting.at(now, "a", "k") is Rejected for now in (0, 59, 60, 70)] == [False, False, True, True]


def test_the_next_change_of_an_item_that_was_rejected_waits_for_another_key_anew(waiting: Waiting) -> None:
    assert waiting.at(0, "a", "k") is Unavailable
    assert waiting.at(60, "a", "k") is Rejected
    assert waiting.at(61, "a", "other") is Unavailable
    assert waiting.at(121, "a", "other") is Rejected


def test_whom_nobody_tried_for_five_minutes_waits_anew(waiting: Waiting) -> None:
    waiting.at(0, "a", "k")
    assert waiting.at(300, "a", "k") is Unavailable
    assert waiting.at(359, "a", "k") is Unavailable


def test_items_that_nobody_tries_any_more_are_forgotten(waiting: Waiting) -> None:
    for item in range(100):
        waiting.at(item, str(item), "k")
    assert len(waiting.waits) == 100
    waiting.at(700, "late", "k")
    assert len(waiting.waits) == 1
