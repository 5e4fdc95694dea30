"""Lanes' batches in one transaction: what goes together, who waits how long, and whose an error is."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, Outcome
from consumer.processors.gated import Write, Written
from consumer.processors.group_commit import APART, AT_ONCE, MOST_WRITES, GroupCommit
from consumer.record import Version
from tests.support.virtual_time import VirtualTimeLoop

POISON = Rejected("out of range", code="TooLarge")


class Desired(NamedTuple):
    digest: str = "d"


class Transactions:
    """A sink whose transactions end when the test says so, and fail where they hold an item at fault."""

    tombstones_last = 7.0

    def __init__(self, faults: dict[str, Exception] | None = None) -> None:
        self.begun: list[list[str]] = []
        self.under_way: list[asyncio.Future[None]] = []
        self.faults = faults or {}
        self.is_open = True
        """Whether they end by themselves."""

    async def write(self, writes: Sequence[Write[Desired]]) -> list[Written]:
        items = [write.item for write in writes]
        self.begun.append(items)
        if not self.is_open:
            self.under_way.append(asyncio.get_running_loop().create_future())
            await self.under_way[-1]
        for item in items:
            if item in self.faults:
                raise self.faults[item]
        return [Outcome("applied") if item != "late" else Outcome("stale") for item in items]

    def end(self, place: int = 0) -> None:
        self.under_way.pop(place).set_result(None)


Ends = list[list[str] | str]


def writes(items: str) -> list[Write[Desired]]:
    return [Write(item, Version(1), Desired()) for item in items.split()]


async def quiet() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def end_of(sink: GroupCommit[Desired], items: str) -> list[str] | str:
    try:
        return [answer.kind for answer in await sink.write(writes(items)) if isinstance(answer, Outcome)]
    except (Rejected, Unavailable) as error:
        return error.code


async def brought(sink: GroupCommit[Desired], *batches: str) -> Ends:
    """What becomes of batches that lanes bring at the same time."""
    return list(await asyncio.gather(*(end_of(sink, items) for items in batches)))


async def busy(store: Transactions, sink: GroupCommit[Desired]) -> list[asyncio.Task[list[str] | str]]:
    """As many transactions under way as there may be."""
    store.is_open = False
    tasks = []
    for number in range(AT_ONCE):
        tasks.append(asyncio.create_task(end_of(sink, f"busy{number}")))
        await quiet()
    assert store.begun == [[f"busy{number}"] for number in range(AT_ONCE)]
    return tasks


async def test_a_batch_alone_goes_at_once_and_by_itself() -> None:
    store = Transactions()
    assert await end_of(GroupCommit(store), "a late") == ["applied", "stale"]
    assert store.begun == [["a", "late"]]


async def test_what_comes_while_transactions_are_under_way_goes_in_one_and_each_has_its_own_answers() -> None:
    store = Transactions()
    sink = GroupCommit(store)
    first = await busy(store, sink)
    waiting = asyncio.create_task(brought(sink, "a b", "late", "c"))
    await quiet()
    assert len(store.begun) == AT_ONCE
    store.end()
    await quiet()
    assert store.begun[AT_ONCE:] == [["a", "b", "late", "c"]]
    while store.under_way:
        store.end()
    assert await waiting == [["applied", "applied"], ["stale"], ["applied"]]
    assert await asyncio.gather(*first) == [["applied"]] * AT_ONCE


def test_batches_go_beside_transactions_that_do_not_end() -> None:
    async def play() -> None:
        store = Transactions()
        sink = GroupCommit(store)
        await busy(store, sink)
        late = asyncio.create_task(brought(sink, "a", "a", "a b"))
        await asyncio.sleep(1)
        assert store.begun[AT_ONCE:] == [["a"], ["a"], ["a", "b"]]
        for _ in range(3):
            store.end(-1)
        assert await late == [["applied"], ["applied"], ["applied", "applied"]]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(play())


async def test_two_batches_of_one_item_do_not_go_together() -> None:
    store = Transactions()
    sink = GroupCommit(store)
    await busy(store, sink)
    waiting = asyncio.create_task(brought(sink, "a b", "b", "c"))
    await quiet()
    store.is_open = True
    store.end()
    assert await waiting == [["applied", "applied"], ["applied"], ["applied"]]
    assert store.begun[AT_ONCE:] == [["a", "b", "c"], ["b"]]


async def test_a_transaction_takes_so_many_and_the_rest_goes_next() -> None:
    store = Transactions()
    half = " ".join(f"a{number}" for number in range(MOST_WRITES // 2))
    batches = [half, half.replace("a", "b"), half.replace("a", "c")]
    ends = await brought(GroupCommit(store), *batches)
    assert [len(items) for items in store.begun] == [MOST_WRITES, MOST_WRITES // 2]
    assert ends == [["applied"] * (MOST_WRITES // 2)] * 3


async def test_a_fault_in_a_group_is_its_own_batchs_alone() -> None:
    store = Transactions({"bad": POISON})
    ends = await brought(GroupCommit(store), "a", "b bad", "c")
    assert ends == [["applied"], "TooLarge", ["applied"]]
    assert store.begun == [["a", "b", "bad", "c"], ["a"], ["b", "bad"], ["c"]]


async def test_an_error_without_a_name_is_its_own_batchs_too() -> None:
    sink = GroupCommit(Transactions({"bad": ZeroDivisionError("division by zero")}))
    good, bad = await asyncio.gather(
        sink.write(writes("a")), sink.write(writes("bad")), return_exceptions=True
    )
    assert good == [APPLIED]
    assert isinstance(bad, ZeroDivisionError)


async def test_a_lock_not_had_in_time_is_waited_for_by_the_batch_that_wants_it() -> None:
    store = Transactions({"locked": Unavailable("locked", code="LockNotAvailable", of_item=True)})
    assert await brought(GroupCommit(store), "a", "locked") == [["applied"], "LockNotAvailable"]


async def test_a_store_that_is_away_is_asked_once_for_all() -> None:
    store = Transactions({"a": Unavailable("away", code="ConnectionFailure")})
    assert await brought(GroupCommit(store), "a", "b") == ["ConnectionFailure", "ConnectionFailure"]
    assert store.begun == [["a", "b"]]


async def test_after_a_fault_batches_go_by_themselves_for_a_while() -> None:
    store = Transactions({"bad": POISON})
    sink = GroupCommit(store)
    await brought(sink, "a", "bad")
    store.begun.clear()
    await brought(sink, *(f"n{number}" for number in range(APART)))
    assert [len(items) for items in store.begun] == [1] * APART
    store.begun.clear()
    await brought(sink, "a", "b")
    assert store.begun == [["a", "b"]]


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    store = Transactions()
    sink = GroupCommit(store)
    first = await busy(store, sink)
    gone, stays = (asyncio.create_task(end_of(sink, item)) for item in ("gone", "stays"))
    await quiet()
    gone.cancel()
    await quiet()
    first[0].cancel()
    store.is_open = True
    while store.under_way:
        store.end()
    assert await stays == ["applied"]
    assert store.begun[AT_ONCE:] == [["stays"]]
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_transaction_whose_answers_nobody_waits_for_any_more_is_ended() -> None:
    store = Transactions()
    sink = GroupCommit(store)
    store.is_open = False
    lanes = [asyncio.create_task(end_of(sink, item)) for item in ("a", "b")]
    await quiet()
    lanes[0].cancel()
    await quiet()
    assert not store.under_way[0].cancelled()
    lanes[1].cancel()
    await quiet()
    assert store.under_way[0].cancelled()
    assert store.begun == [["a", "b"]]
