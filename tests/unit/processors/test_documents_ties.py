"""Ties of an item that has several documents: no transaction binds them, and every one ends at the truth."""

import asyncio

import pytest

from consumer.errors import Rejected
from consumer.processors.base import APPLIED, STALE
from consumer.processors.projection.documents import ROUNDS
from tests.unit.processors.documents_bench import LETTERS, MOVING, VALUE, World, bring, change


class Halt:
    """Stops a writer at one of its moments, until it is let go on.

    Each bulk has two: before it takes effect, and before its answer.
    """

    def __init__(self, moment: int) -> None:
        self.reached = asyncio.Event()
        self._left = moment
        self._goes_on = asyncio.Event()

    async def __call__(self, what: str) -> None:
        if what == "_bulk" and not self.reached.is_set():
            self._left -= 1
            if not self._left:
                self.reached.set()
                await self._goes_on.wait()

    def go_on(self) -> None:
        self._goes_on.set()


async def test_a_tie_is_settled_on_every_document_that_the_change_has(world_of_letters: World) -> None:
    world = world_of_letters
    world.commit("bc")
    outcomes = await bring(world.processor(), change(None, "ab"), change("ab", "bc"))
    assert (outcomes, world.shown()) == ([APPLIED, APPLIED], {"b": "bc", "c": "bc"})


async def test_a_duplicate_that_ties_for_the_last_time_does_not_wait_for_ever() -> None:
    """Each takes a round on, of which there are few: the item would stand still until it changes again."""
    world = World({"key": {"id": "keys.id"}, "fields": VALUE})
    world.commit("bc")
    processor = world.processor()
    await bring(processor, change(None, "ab"), change("ab", "bc"))
    rounds = await bring(processor, *[change(None, "ab")] * (ROUNDS - 2))
    assert rounds == [APPLIED] * (ROUNDS - 2)
    assert await bring(processor, change(None, "ab")) == [STALE]
    world.commit("d")
    (outcome,) = await bring(processor, change(None, "ab"))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.code == "TooManyRounds"
    assert world.shown() == {"x": "bc"}


@pytest.fixture
def world_of_letters() -> World:
    return World(LETTERS)


async def test_changes_of_one_tick_end_at_the_truth_in_the_wrong_order_too(world_of_letters: World) -> None:
    world = world_of_letters
    world.commit("bc")
    await bring(world.processor(), change("ab", "bc"), change(None, "ab"))
    assert world.shown() == {"b": "bc", "c": "bc"}


@pytest.mark.parametrize(
    "moment", [1, 2], ids=["before it claims its round", "after it has claimed its round"]
)
async def test_who_read_the_source_last_wins_on_documents_that_others_know_of_too(
    world_of_letters: World, moment: int
) -> None:
    """The late writer sees a high round on `e`, which the last change knows nothing of."""
    world = world_of_letters
    first, second = change(None, "e"), change("e", "de")
    third, last = change("de", "d"), change("d", "dx")
    world.commit("d")
    ours = world.processor()
    await bring(ours, second, first, third, first)
    halt = Halt(moment)
    late = asyncio.create_task(bring(world.processor(halt), second))
    await halt.reached.wait()
    world.commit("dx")
    await bring(ours, last)
    halt.go_on()
    await late
    assert world.shown() == {"d": "dx", "x": "dx"}


async def test_a_tie_brings_no_document_that_its_change_does_not_have() -> None:
    """The change that brought `c` is on its way still, the one that took it away is not."""
    world = World(MOVING)
    first, second, third, last = (
        change(None, "a"),
        change("a", "b"),
        change("b", "c"),
        change("c", "d"),
    )
    world.commit("c")
    halt = Halt(7)  # its third bulk claims the tie's round, its fourth settles it
    late = asyncio.create_task(bring(world.processor(halt), first, second))
    await halt.reached.wait()
    world.commit("d")
    ours = world.processor()
    assert await bring(ours, last) == [APPLIED]
    halt.go_on()
    assert await late == [APPLIED, APPLIED]
    await bring(ours, third)
    assert world.shown() == {"d": "d"}


async def test_a_duplicate_of_a_settled_tie_is_stale(world_of_letters: World) -> None:
    world = world_of_letters
    world.commit("bc")
    processor = world.processor()
    await bring(processor, change(None, "ab"), change("ab", "bc"))
    assert await bring(processor, change("ab", "bc")) == [STALE]
