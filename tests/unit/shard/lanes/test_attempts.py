"""How often a record is tried, how long is waited between, and what goes on meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, Outcome, failed
from consumer.record import ChangeRecord
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, BAD, Bench, Process, apply_all, changes, name, raising, reject
from tests.unit.shard.rig import Letters

GROWING = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]


@pytest.mark.parametrize("attempts", [0, 1, 5, 11])
@pytest.mark.parametrize("process", [reject("a1"), raising("a1")], ids=["an outcome", "raised"])
async def test_a_rejected_record_is_tried_once_and_then_as_often_as_the_settings_say(
    process: Process, attempts: int
) -> None:
    bench = Bench(process, maximum_retry_attempts=attempts)
    await bench.deliver(changes(1))
    assert bench.batches == ["a1"] * (attempts + 1)
    assert bench.buried == {"a1": attempts + 1}
    assert bench.settled == {0: "failed"}


async def test_without_a_limit_a_rejected_record_is_tried_for_ever_and_only_its_item_waits() -> None:
    bench = Bench(reject("a1"), maximum_retry_attempts=-1)
    async with bench.running([put("a", 1), put("a", 2), put("b", 1)]):
        await asyncio.sleep(50_000)
    assert (bench.buried, bench.settled) == ({}, {2: "applied"})
    assert len(bench.batches) > 1_000
    assert set(bench.batches[1:]) == {"a1"}


@pytest.mark.parametrize("error", [BAD, AWAY], ids=["rejected", "unavailable"])
@pytest.mark.parametrize("uniform", [1.0, 0.5])
async def test_waits_double_up_to_thirty_seconds_each_times_a_random_number(
    error: Rejected | Unavailable, uniform: float
) -> None:
    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(error)]

    bench = Bench(process, uniform=uniform, maximum_retry_attempts=-1)
    async with bench.running(changes(1)):
        await asyncio.sleep(200)
    assert bench.waits[: len(GROWING)] == pytest.approx([wait * uniform for wait in GROWING])


async def test_other_items_of_the_lane_go_on_between_a_records_tries() -> None:
    bench = Bench(reject("a1"))
    async with bench.running([put("a", 1), put("b", 1)]):
        for ordinal in range(2, 12):
            await asyncio.sleep(0.25)
            bench.lanes.give([(ordinal, put("b", ordinal))])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert bench.settled[ordinal] == "applied"
        assert 0 not in bench.settled
        await asyncio.sleep(60)
    assert bench.buried == {"a1": 6}


async def test_records_that_succeeded_are_not_done_again() -> None:
    bench = Bench(reject("b1", "e1"), batch_size=3)
    await bench.deliver(changes(6))
    tried = " ".join(bench.batches).split()
    assert {each: tried.count(each) for each in tried} == {
        **dict.fromkeys(("a1", "c1", "d1", "f1"), 1),
        **dict.fromkeys(("b1", "e1"), 6),
    }


async def test_an_items_later_records_follow_once_its_bad_one_is_in_the_dead_letter() -> None:
    bench = Bench(reject("a1"), maximum_retry_attempts=1)
    await bench.deliver([put("a", 1), put("b", 1), put("a", 2), put("a", 3)])
    assert bench.batches == ["a1 b1 a2 a3", "a1", "a2 a3"]
    assert list(bench.settled) == [1, 0, 2, 3]


async def test_what_a_processor_did_behind_an_items_failure_is_done_again_in_order() -> None:
    bench = Bench(reject("a1", tries=1))
    await bench.deliver([put("a", 1), put("a", 2), put("b", 1)])
    assert bench.batches == ["a1 a2 b1", "a1", "a2"]


async def test_what_a_processor_did_before_an_items_failure_is_not_done_again() -> None:
    bench = Bench(reject("a2", tries=1))
    await bench.deliver([put("a", 1), put("a", 2), put("a", 3)])
    assert bench.batches == ["a1 a2 a3", "a2", "a3"]


async def test_what_was_held_is_tried_later_and_does_not_count() -> None:
    tries = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        return [HELD if tries <= 20 else APPLIED] * len(records)

    bench = Bench(process, maximum_retry_attempts=0)
    await bench.deliver(changes(2))
    assert (set(bench.settled.values()), bench.buried) == ({"applied"}, {})
    assert bench.trouble.since is None
    assert bench.waits[:3] == pytest.approx([0.1, 0.2, 0.4])


async def test_an_items_next_record_begins_with_attempts_and_waits_of_its_own() -> None:
    bench = Bench(reject("a1", "a2"), maximum_retry_attempts=2)
    await bench.deliver([put("a", 1), put("a", 2)])
    assert bench.batches == ["a1 a2", "a1", "a1", *["a2"] * 3]
    assert bench.waits == pytest.approx([0.1, 0.2, 0.0, 0.1, 0.2])
    assert bench.buried == {"a1": 3, "a2": 3}


def reject_images(*values: str, error: Rejected = BAD) -> Process:
    """Rejects what is made of an image that holds one of these values, first, last or between."""

    def is_bad(record: ChangeRecord) -> bool:
        images = [bytes(image) for image in (record.new_image, *record.between)]
        return any(f'"{value}"'.encode() in image for image in images for value in values)

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(error) if is_bad(record) else APPLIED for record in records]

    return process


@pytest.mark.parametrize("attempts", [0, 2])
async def test_of_changes_taken_as_one_that_are_rejected_only_the_bad_one_is_buried(attempts: int) -> None:
    bench = Bench(reject_images("bad"), coalesces=True, maximum_retry_attempts=attempts)
    records = [put("a", 1, v="x"), put("a", 2, v="bad"), put("a", 3, v="y"), put("a", 4, v="z"), put("b", 1)]
    await bench.deliver(records)
    assert bench.batches == ["a4 b1", "a1", *["a2"] * (attempts + 1), "a3", "a4"]
    assert bench.buried == {"a2": attempts + 1}
    assert bench.settled == {4: "applied", 0: "applied", 1: "failed", 2: "applied", 3: "applied"}


async def test_of_two_changes_taken_as_one_the_good_one_is_not_buried_for_the_other() -> None:
    bench = Bench(reject_images("bad"), coalesces=True, maximum_retry_attempts=0)
    await bench.deliver([put("a", 1, v="x"), put("a", 2, v="bad")])
    assert bench.settled == {0: "applied", 1: "failed"}


async def test_changes_taken_as_one_that_raise_without_a_name_are_tried_one_by_one() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        if any(record.between for record in records):
            raise ZeroDivisionError
        return await apply_all(records)

    bench = Bench(process, coalesces=True)
    await bench.deliver([put("a", 1), put("a", 2)])
    assert bench.batches == ["a2", "a1", "a2"]


async def test_changes_taken_as_one_wait_for_their_store_as_one() -> None:
    tries = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        return [failed(AWAY) if tries == 1 else APPLIED] * len(records)

    bench = Bench(process, coalesces=True)
    await bench.deliver([put("a", 1), put("a", 2), put("a", 3)])
    assert bench.batches == ["a3", "a3"]
    assert bench.settled == dict.fromkeys(range(3), "applied")


async def test_a_dead_letter_that_cannot_be_written_holds_only_its_item() -> None:
    letters = Letters(failures=10)
    bench = Bench(reject("a1"), dead_letters=letters, maximum_retry_attempts=0)
    async with bench.running([put("a", 1), put("b", 1), put("a", 2)]):
        await asyncio.sleep(20)
        bench.lanes.give([(3, put("a", 3)), (4, put("b", 2))])
        await asyncio.sleep(1)
        assert bench.settled == {1: "applied", 4: "applied"}
        await asyncio.sleep(100)
    assert bench.batches == ["a1 b1 a2", "b2", "a2 a3"]
    assert [name(letter.change) for letter in letters.kept if letter.change] == ["a1"]
    assert len(bench.settled) == 5
