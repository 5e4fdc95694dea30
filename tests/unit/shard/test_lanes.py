import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from io import BytesIO

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.log import open_log
from consumer.processors.base import APPLIED, SKIPPED, STALE, Outcome, Processor, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter import DeadLetter, DeadLetters
from consumer.shard.lanes import LanePolicy, Lanes, LaneTools, Ticket, Trouble
from consumer.shard.retry import Backoff
from tests.support.changes import put

AWAY = Unavailable("the table is away", code="InternalServerError")
BAD = Rejected("not in this table", code="ValidationException")

Process = Callable[[Sequence[ChangeRecord]], Awaitable[list[Outcome]]]


class Target:
    """A processor that does what the test's function says."""

    def __init__(self, process: Process) -> None:
        self.batches: list[list[str]] = []
        self._process = process

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        self.batches.append([name(record) for record in records])
        return await self._process(records)


class Letters:
    """A dead letter that can't be written the first few times."""

    def __init__(self, failures: int = 0) -> None:
        self.kept: list[DeadLetter] = []
        self._failures = failures

    async def write(self, letter: DeadLetter) -> None:
        if self._failures:
            self._failures -= 1
            raise Unavailable("the volume is full", code="DeadLetterFile")
        self.kept.append(letter)


class Bench:
    """Lanes over a processor, and what came of the records."""

    def __init__(
        self,
        process: Process,
        *,
        lanes: int = 1,
        batch_size: int = 100,
        dead_letters: DeadLetters | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        processor: Processor | None = None,
    ) -> None:
        self.target = Target(process)
        self.letters = Letters()
        self.settled: dict[int, str] = {}
        self.delays: list[float] = []
        self.counts: dict[str, int] = defaultdict(int)
        self.trouble = Trouble()
        self._grew = asyncio.Event()
        tools = LaneTools(
            clock=lambda: 1_000.0,
            uniform=lambda: 1.0,
            log=open_log(BytesIO()),
            sleep=sleep or self._sleep,
            on_retry=lambda: self._count("retry"),
            on_dead_letter=lambda: self._count("dead letter"),
            on_dead_letter_failure=lambda: self._count("dead letter failure"),
            trouble=self.trouble,
        )
        policy = LanePolicy(lanes=lanes, batch_size=batch_size, backoff=Backoff())
        self.lanes = Lanes(
            "view", processor or self.target, policy, dead_letters or self.letters, self._settle, tools
        )

    async def deliver(self, records: Sequence[ChangeRecord]) -> None:
        """Run the lanes until all is settled."""
        self.lanes.give(list(enumerate(records)))
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(self.lanes.run())
            while len(self.settled) < len(records):
                await self._grew.wait()
                self._grew.clear()
            self.lanes.stop()

    def _settle(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        for (ordinal, _), outcome in zip(tickets, outcomes, strict=True):
            assert ordinal not in self.settled
            self.settled[ordinal] = outcome.kind
        self._grew.set()

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        await asyncio.sleep(0)

    def _count(self, what: str) -> None:
        self.counts[what] += 1


def name(record: ChangeRecord) -> str:
    return f"{record.item}{record.micros}"


def changes(count: int) -> list[ChangeRecord]:
    """A change each of the items a, b, c, ..."""
    return [put(chr(ord("a") + number), 1) for number in range(count)]


async def apply_all(records: Sequence[ChangeRecord]) -> list[Outcome]:
    return [APPLIED] * len(records)


def reject(*names: str, tries: int = 1_000_000) -> Process:
    """Rejects the records of these names so many times each, and applies the others."""
    left = dict.fromkeys(names, tries)

    def outcome(record: ChangeRecord) -> Outcome:
        if left.get(name(record), 0) == 0:
            return APPLIED
        left[name(record)] -= 1
        return failed(BAD)

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [outcome(record) for record in records]

    return process


async def test_an_items_records_are_delivered_in_stream_order_and_never_two_at_once() -> None:
    under_way: set[str] = set()
    seen: dict[str, list[int]] = defaultdict(list)

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        items = {record.item for record in records}
        assert not items & under_way
        under_way.update(items)
        for record in records:
            seen[record.item].append(record.micros)
            await asyncio.sleep(0)
        under_way.difference_update(items)
        return [APPLIED] * len(records)

    records = [put(f"item-{tick % 17}", tick) for tick in range(400)]
    await Bench(process, lanes=8, batch_size=3).deliver(records)
    assert sum(len(micros) for micros in seen.values()) == 400
    assert all(micros == sorted(micros) for micros in seen.values())


async def test_a_lane_that_waits_does_not_hold_the_others() -> None:
    released = asyncio.Event()
    first: list[str] = []

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        if not first:
            first.append(records[0].item)
            await released.wait()
        elif records[0].item != first[0]:
            released.set()
        return [APPLIED] * len(records)

    bench = Bench(process, lanes=8, batch_size=1)
    await bench.deliver(changes(20))
    assert set(bench.settled.values()) == {"applied"}


async def test_a_batch_holds_at_most_batch_size_records() -> None:
    bench = Bench(apply_all, batch_size=3)
    await bench.deliver(changes(8))
    assert [len(batch) for batch in bench.target.batches] == [3, 3, 2]


async def test_what_is_stale_or_skipped_is_settled_as_such_at_once() -> None:
    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return [STALE, SKIPPED, APPLIED]

    bench = Bench(process)
    await bench.deliver(changes(3))
    assert bench.settled == {0: "stale", 1: "skipped", 2: "applied"}
    assert (bench.delays, dict(bench.counts)) == ([], {})


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
    assert dict(bench.counts) == {"retry": 5, "dead letter": 1}


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
    await bench.deliver(changes(2))
    assert bench.delays == pytest.approx([0.1, 0.2, 0.4, 0.1])


async def test_an_outage_between_rejections_does_not_count_and_a_rejection_within_an_outage_does() -> None:
    answers: Iterator[Rejected | Unavailable] = iter([BAD, AWAY, BAD, AWAY, AWAY, BAD, BAD, BAD, AWAY, BAD])

    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(next(answers))]

    bench = Bench(process)
    await bench.deliver(changes(1))
    assert [letter.attempts for letter in bench.letters.kept] == [6]


async def test_while_a_store_is_away_one_record_asks_for_all() -> None:
    tries = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        return [failed(AWAY) if tries <= 3 else APPLIED] * len(records)

    bench = Bench(process)
    await bench.deliver(changes(4))
    assert bench.target.batches == [["a1", "b1", "c1", "d1"], ["a1"], ["a1"], ["a1"], ["b1", "c1", "d1"]]


async def test_a_lane_that_finds_the_store_back_wakes_the_others() -> None:
    records = changes(20)
    lanes = {hash(record.item) % 8 for record in records}
    asleep = 0

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY) if asleep < len(lanes) else APPLIED] * len(records)

    async def sleep(_: float) -> None:
        nonlocal asleep
        asleep += 1
        if asleep < len(lanes):
            await asyncio.Event().wait()  # for ever, if nobody wakes it

    bench = Bench(process, lanes=8, sleep=sleep)
    await bench.deliver(records)
    assert asleep == len(lanes) > 1
    assert set(bench.settled.values()) == {"applied"}


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


async def test_a_stop_ends_the_wait_for_another_try_and_settles_nothing() -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY)] * len(records)

    bench = Bench(process, sleep=sleep)
    bench.lanes.give(list(enumerate(changes(3))))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await waiting.wait()
        bench.lanes.stop()
    assert bench.settled == {}


async def test_a_stop_lets_the_delivery_under_way_end_and_begins_no_other() -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        begun.set()
        await released.wait()
        return [APPLIED] * len(records)

    bench = Bench(process, batch_size=2)
    bench.lanes.give(list(enumerate(changes(6))))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await begun.wait()
        bench.lanes.stop()
        released.set()
    assert bench.settled == {0: "applied", 1: "applied"}
    assert bench.target.batches == [["a1", "b1"]]


async def test_a_stop_ends_lanes_that_have_nothing_to_do() -> None:
    bench = Bench(apply_all, lanes=8)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await asyncio.sleep(0)
        bench.lanes.stop()
    assert bench.target.batches == []


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
    assert halves == ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "gh", *"ffffff"]
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
    waiting = asyncio.Event()
    tries = 0

    async def sleep(_: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 6:
            waiting.set()
            await asyncio.Event().wait()

    bench = Bench(reject("a1"), dead_letters=Letters(failures=1_000), sleep=sleep)
    bench.lanes.give(list(enumerate(changes(1))))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await waiting.wait()
        assert bench.trouble == Trouble(1_000.0, "DeadLetterFile: the volume is full")
        bench.lanes.stop()
    assert bench.settled == {}


@pytest.mark.parametrize("outcomes", [[], [APPLIED], [APPLIED] * 3])
async def test_an_answer_for_another_number_of_records_ends_the_process_instead_of_losing_any(
    outcomes: list[Outcome],
) -> None:
    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return outcomes

    bench = Bench(process)
    with pytest.raises(ExceptionGroup) as group:
        await bench.deliver(changes(2))
    assert group.group_contains(
        RuntimeError, match=f"view answered for {len(outcomes)} of 2 records", depth=2
    )
    assert bench.settled == {}
