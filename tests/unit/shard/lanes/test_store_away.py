"""A store that is away: who asks it and how often, who is told that it is back, and what is no outage."""

import asyncio
from collections.abc import Sequence
from itertools import count, islice, pairwise

import pytest

from consumer.processors.base import APPLIED, SKIPPED, STALE, Outcome, failed
from consumer.record import ChangeRecord
from consumer.shard.lanes.outage import REJECTED_RUN
from tests.support.changes import put
from tests.unit.shard.lanes.bench import (
    AWAY,
    BAD,
    EPOCH,
    OF_THE_STORE,
    Bench,
    changes,
)
from tests.unit.shard.rig import LANES, item


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
    away = iter([True, True, True, False, True, True, True, False])

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY) if next(away) else APPLIED] * len(records)

    bench = Bench(process, batch_size=1)
    await bench.deliver([put("a", 1), put("a", 2)])
    waits = [later - earlier for earlier, later in pairwise(bench.target.times)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.0, 0.1, 0.2, 0.4])


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


async def test_a_person_can_see_which_code_a_rejected_run_waits_for() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(OF_THE_STORE)] * len(records)

    bench = Bench(process, maximum_retry_attempts=-1)
    async with bench.running([put(f"item-{number}", 1) for number in range(REJECTED_RUN)]):
        await asyncio.sleep(3_600)
        assert bench.lanes.waiting() == (REJECTED_RUN, "42703: no such column")
        assert bench.trouble.since == EPOCH


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


async def test_a_lane_that_finds_the_store_back_wakes_one_that_would_ask_much_later() -> None:
    first, second = item("a"), item("b")

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        is_back = asyncio.get_running_loop().time() >= 300
        return [APPLIED if is_back else failed(AWAY)] * len(records)

    bench = Bench(process, lanes=LANES)
    async with bench.running([put(first, 1)]):
        await asyncio.sleep(7)
        bench.lanes.give([(1, put(second, 1))])
        await asyncio.sleep(600)
    assert bench.settled == {0: "applied", 1: "applied"}
    one, other = bench.target.times[-2:]
    assert (one > 300, other) == (True, one)


async def test_items_that_fail_while_the_store_answers_others_are_no_outage() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        if any(record.item == "a" for record in records):
            await asyncio.sleep(1)
        return [failed(AWAY) if record.item == "a" else APPLIED for record in records]

    bench = Bench(process, lanes=64)
    names = (f"item-{number}" for number in count())
    of_other_lanes = (name for name in names if hash(name) % 64 != hash("a") % 64)
    async with bench.running([put("a", 1)]):
        for ordinal, item in enumerate(islice(of_other_lanes, 199), 1):
            bench.lanes.give([(ordinal, put(item, 1))])
            await asyncio.sleep(0.5)
            assert bench.trouble.since is None
    tried = [time for time, batch in zip(bench.target.times, bench.batches, strict=True) if "a1" in batch]
    waits = [later - earlier - 1 for earlier, later in pairwise(tried)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0])


@pytest.mark.parametrize("answer", [APPLIED, STALE, failed(OF_THE_STORE)])
async def test_a_store_that_answered_for_another_record_of_the_batch_is_not_away(answer: Outcome) -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY) if record.item == "a" else answer for record in records]

    bench = Bench(process)
    async with bench.running(changes(2)):
        assert bench.trouble.since is None
        await asyncio.sleep(0.05)
        assert (bench.trouble.since, bench.lanes.waiting()[1]) == (
            None,
            "InternalServerError: the table is away",
        )


async def test_a_lane_asks_a_store_that_is_away_by_its_own_back_off_however_many_items_wait() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY)] * len(records)

    bench = Bench(process)
    async with bench.running([put(f"item-{number}", 1) for number in range(100)]):
        await asyncio.sleep(200)
    assert bench.waits == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, *[30.0] * (len(bench.waits) - 9)]
    )
    assert len(bench.waits) > 10


async def test_what_failed_before_does_not_put_off_the_first_question_to_a_store_that_goes_away() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        is_away = 1_000 <= asyncio.get_running_loop().time() < 1_000.5
        other = failed(AWAY) if is_away else APPLIED
        return [failed(BAD) if record.item == "a" else other for record in records]

    bench = Bench(process, maximum_retry_attempts=-1)
    async with bench.running([put("a", 1)]):
        await asyncio.sleep(1_000)
        bench.lanes.give([(1, put("b", 1))])
        await asyncio.sleep(1)
        assert bench.settled == {1: "applied"}


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


async def test_what_is_skipped_says_nothing_of_the_store() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY) if record.item == "a" else SKIPPED for record in records]

    bench = Bench(process)
    async with bench.running([put("a", 1), put("b", 1)]):
        await asyncio.sleep(50)
        assert bench.trouble.since == EPOCH
        bench.lanes.give([(ordinal, put(f"item-{ordinal}", 1)) for ordinal in range(2, 100)])
        await asyncio.sleep(50)
        assert bench.trouble.since == EPOCH
    assert set(bench.settled.values()) == {"skipped"}
    assert len(bench.settled) > 1


async def test_records_of_a_rejected_run_go_on_together_once_one_gets_through() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        is_mended = asyncio.get_running_loop().time() >= 300
        return [APPLIED if is_mended else failed(OF_THE_STORE)] * len(records)

    bench = Bench(process, maximum_retry_attempts=0)
    await bench.deliver([put(f"item-{number}", 1) for number in range(100)])
    assert [len(batch) for batch in bench.target.batches[-2:]] == [1, 80]
    assert bench.waits[-1] == 0
    assert list(bench.settled.values()).count("failed") == REJECTED_RUN - 1
    assert bench.lanes.waiting() == (0, None)
