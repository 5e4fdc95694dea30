"""How long an item waits for a key that another item has, and what is remembered of that."""

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.projection.waits import MORE, KeyWaits

END = int(60 + MORE * 60)


class Waiting:
    """Waits of a minute at most, at a clock of the test's own; `is_claimed`: what the source says then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_claimed = True
        self.asked = 0
        self.waits = KeyWaits(lambda: self.now, 60.0)

    async def ask(self) -> bool:
        self.asked += 1
        return self.is_claimed

    async def at(self, now: float, item: str = "a", key: str = "k") -> str:
        self.now = now
        error = await self.waits.error(item, key, self.ask)
        assert isinstance(error, Unavailable) == (error.code == "KeyTaken")
        return error.code


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


async def test_a_wait_has_an_end_and_stays_ended(waiting: Waiting) -> None:
    codes = [await waiting.at(now) for now in (0, 59, 60, 70)]
    assert codes == ["KeyTaken", "KeyTaken", "KeyNotUnique", "KeyNotUnique"]


async def test_the_source_is_asked_at_the_waits_end_only(waiting: Waiting) -> None:
    for now, asked in ((0, 0), (59, 0), (60, 1), (90, 2)):
        await waiting.at(now)
        assert waiting.asked == asked


async def test_a_wait_goes_on_while_the_source_says_that_the_key_is_free(waiting: Waiting) -> None:
    waiting.is_claimed = False
    assert {await waiting.at(now) for now in range(0, END, 30)} == {"KeyTaken"}
    waiting.is_claimed = True
    assert await waiting.at(END - 0.1) == "KeyNotUnique"


async def test_a_change_that_does_not_come_is_not_waited_for_for_ever(waiting: Waiting) -> None:
    waiting.is_claimed = False
    for now in range(0, END, 30):
        await waiting.at(now)
    waiting.now = END
    error = await waiting.waits.error("a", "k", waiting.ask)
    assert isinstance(error, Rejected)
    assert error.code == "KeyNotUnique"
    assert "has not come in 300 s" in str(error)
    assert "redrive it first" in str(error)


async def test_the_next_change_of_an_item_that_was_rejected_waits_for_another_key_anew(
    waiting: Waiting,
) -> None:
    assert await waiting.at(0) == "KeyTaken"
    assert await waiting.at(60) == "KeyNotUnique"
    assert await waiting.at(61, key="other") == "KeyTaken"
    assert await waiting.at(121, key="other") == "KeyNotUnique"


async def test_whom_nobody_tried_for_five_minutes_waits_anew(waiting: Waiting) -> None:
    await waiting.at(0)
    assert await waiting.at(300) == "KeyTaken"
    assert await waiting.at(359) == "KeyTaken"


async def test_items_that_nobody_tries_any_more_are_forgotten(waiting: Waiting) -> None:
    for item in range(100):
        await waiting.at(item, str(item))
    assert len(waiting.waits) == 100
    await waiting.at(700, "late")
    assert len(waiting.waits) == 1
