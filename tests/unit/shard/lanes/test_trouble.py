"""Rejections, outages and dead letters: what is tried again, what is waited for, what is buried."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, Outcome, failed
from consumer.record import ChangeRecord
from consumer.shard.lanes.outage import REJECTED_RUN
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, BAD, OF_THE_STORE, PATIENCE_SECONDS, Bench, changes, reject
from tests.unit.shard.rig import Letters


async def test_a_rejected_record_is_tried_again_alone_and_then_goes_whole_to_the_dead_letter() -> None:
    records = changes(3)
    bench = Bench(reject("b1"))
    await bench.deliver(records)
    assert bench.target.batches == [["a1", "b1", "c1"], *[["b1"]] * 5]
    assert bench.settled == {0: "applied", 2: "applied", 1: "failed"}
    (letter,) = bench.letters.kept
    assert (letter.processor, letter.record, letter.error, letter.attempts) == (
        "view",
        records[1].stream,
        BAD,
        6,
    )
    assert dict(bench.counts) == {"retry": 6, "dead letter": 1}


async def test_a_record_that_is_accepted_at_last_leaves_no_dead_letter() -> None:
    bench = Bench(reject("b1", tries=5))
    await bench.deliver(changes(3))
    assert (bench.settled[1], bench.letters.kept) == ("applied", [])


async def test_each_rejected_record_has_its_own_attempts() -> None:
    bench = Bench(reject("a1", "b1", "c1"), batch_size=2)
    await bench.deliver(changes(4))
    assert [letter.attempts for letter in bench.letters.kept] == [6, 6, 6]
    assert bench.settled[3] == "applied"


@pytest.mark.parametrize("is_raised", [True, False])
async def test_a_store_that_is_away_never_uses_up_attempts(*, is_raised: bool) -> None:
    calls = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal calls
        calls += 1
        if calls > 100:
            return [APPLIED] * len(records)
        if is_raised:
            raise AWAY
        return [failed(AWAY)] * len(records)

    bench = Bench(process)
    await bench.deliver(changes(3))
    assert set(bench.settled.values()) == {"applied"}
    assert (bench.letters.kept, bench.counts["retry"]) == ([], 100)


async def test_waits_grow_while_a_store_is_away_and_begin_anew_after_it_was_back() -> None:
    away = iter([True, True, True, False, True, False])

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY) if next(away) else APPLIED] * len(records)

    bench = Bench(process, batch_size=1)
    await bench.deliver([put("a", 1), put("a", 2)])
    waits = [later - earlier for earlier, later in pairwise(bench.target.times)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.0, 0.1])


async def test_an_outage_between_rejections_does_not_count_and_a_rejection_within_an_outage_does() -> None:
    answers: Iterator[Rejected | Unavailable] = iter([BAD, AWAY, BAD, AWAY, AWAY, BAD, BAD, BAD, AWAY, BAD])

    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(next(answers))]

    bench = Bench(process)
    await bench.deliver(changes(1))
    assert [letter.attempts for letter in bench.letters.kept] == [6]


async def test_while_a_store_is_away_one_record_asks_for_all_and_not_always_the_same() -> None:
    tries = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        return [failed(AWAY) if tries <= 5 else APPLIED] * len(records)

    bench = Bench(process)
    await bench.deliver(changes(4))
    asking = bench.target.batches[1:-1]
    assert [len(batch) for batch in asking] == [1] * 5
    assert len({batch[0] for batch in asking}) > 1
    assert len(bench.target.batches[-1]) == 3


async def test_a_lane_that_finds_the_store_back_wakes_the_others() -> None:
    back_at = 300.0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        is_back = asyncio.get_running_loop().time() >= back_at
        return [APPLIED if is_back else failed(AWAY)] * len(records)

    bench = Bench(process, lanes=8)
    await bench.deliver(changes(20))
    answered = [time for time in bench.target.times if time >= back_at]
    assert len(answered) > 1
    assert max(answered) == min(answered)


async def test_items_that_fail_while_the_store_answers_others_are_no_outage() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        if any(record.item == "a" for record in records):
            await asyncio.sleep(1)
        return [failed(AWAY) if record.item == "a" else APPLIED for record in records]

    bench = Bench(process, lanes=64)
    async with bench.running([put("a", 1)]):
        for ordinal in range(1, 200):
            bench.lanes.give([(ordinal, put(f"item-{ordinal}", 1))])
            await asyncio.sleep(0.5)
            assert bench.trouble.since is None
    tried = [time for time, batch in zip(bench.target.times, bench.batches, strict=True) if "a1" in batch]
    waits = [later - earlier - 1 for earlier, later in pairwise(tried)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0])


async def test_a_rejected_run_of_bad_records_ends_when_others_get_through() -> None:
    bad = [f"bad-{number}" for number in range(3 * REJECTED_RUN)]

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(OF_THE_STORE) if record.item in bad else APPLIED for record in records]

    bench = Bench(process, lanes=4)
    async with bench.running([put(item, 1) for item in bad]):
        await asyncio.sleep(3_600)
        assert bench.settled == {}
        for ordinal in range(100, 2_000):
            bench.lanes.give([(ordinal, put(f"good-{ordinal}", 1))])
            await asyncio.sleep(1)
    assert sorted(ordinal for ordinal, kind in bench.settled.items() if kind == "failed") == list(range(60))
    assert len(bench.settled) == 60 + 1_900


async def test_a_person_can_see_since_when_and_why_a_processor_waits_until_it_goes_on() -> None:
    seen: list[tuple[float | None, str | None]] = []
    tries = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        seen.append((bench.trouble.since, bench.trouble.last_error))
        return [failed(AWAY) if tries == 1 else APPLIED] * len(records)

    bench = Bench(process)
    await bench.deliver(changes(1))
    assert seen == [(None, None), (1_000.0, "InternalServerError: the table is away")]
    assert bench.trouble.since is None


async def test_a_batch_that_raises_is_halved_down_to_the_record_that_waits_and_is_never_buried() -> None:
    failures = 9

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal failures
        if failures and any(record.item == "f" for record in records):
            failures -= 1
            raise ZeroDivisionError("by f")
        return [APPLIED] * len(records)

    bench = Bench(process)
    await bench.deliver(changes(8))
    halves = ["".join(entry[0] for entry in batch) for batch in bench.target.batches]
    assert halves == ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "g", "h", *"ffffff"]
    assert bench.lanes.waiting() == (0, None)
    assert (set(bench.settled.values()), len(bench.settled)) == ({"applied"}, 8)
    assert bench.letters.kept == []
    assert bench.lanes.trouble.last_error == "ZeroDivisionError: by f"


async def test_a_dead_letter_that_cannot_be_written_holds_its_record_until_it_can() -> None:
    letters = Letters(failures=7)
    bench = Bench(reject("a1"), dead_letters=letters)
    await bench.deliver(changes(2))
    assert bench.settled == {0: "failed", 1: "applied"}
    assert [letter.record for letter in letters.kept] == [changes(2)[0].stream]
    assert (bench.counts["dead letter failure"], bench.counts["dead letter"]) == (7, 1)


async def test_a_dead_letter_that_cannot_be_written_shows_as_a_wait() -> None:
    bench = Bench(reject("a1"), dead_letters=Letters(failures=1_000))
    bench.lanes.give(list(enumerate(changes(2))))
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await asyncio.sleep(1_000)
        assert bench.lanes.waiting() == (1, "DeadLetterFile: the volume is full")
        bench.lanes.stop()
    assert bench.settled == {1: "applied"}
