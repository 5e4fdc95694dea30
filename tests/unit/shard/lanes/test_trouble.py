"""Rejections and failures without a name: what is tried again, what is waited for, what is buried."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, Outcome, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import DeadLetter
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, BAD, PATIENCE_SECONDS, Bench, changes, raising, reject
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


async def test_an_outage_between_rejections_does_not_count_and_a_rejection_within_an_outage_does() -> None:
    answers: Iterator[Rejected | Unavailable] = iter([BAD, AWAY, BAD, AWAY, AWAY, BAD, BAD, BAD, AWAY, BAD])

    async def process(_: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(next(answers))]

    bench = Bench(process)
    await bench.deliver(changes(1))
    assert [letter.attempts for letter in bench.letters.kept] == [6]


async def test_a_person_can_see_how_many_items_wait_and_what_for() -> None:
    answers = {"a": failed(BAD), "b": failed(AWAY), "c": APPLIED}

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [answers[record.item] for record in records]

    bench = Bench(process, maximum_retry_attempts=-1)
    async with bench.running([put("a", 1), put("a", 2), put("c", 1)]):
        await asyncio.sleep(10)
        assert bench.lanes.waiting() == (1, None)
        bench.lanes.give([(3, put("b", 1)), (4, put("c", 2))])
        await asyncio.sleep(10)
        assert bench.lanes.waiting() == (2, "InternalServerError: the table is away")
        answers.update(a=APPLIED, b=APPLIED)
        await asyncio.sleep(60)
        assert bench.lanes.waiting() == (0, None)


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


async def test_a_failure_without_a_name_is_in_the_log_with_its_place_and_its_cause() -> None:
    bench = Bench(raising("a1", error=ZeroDivisionError("by a"), tries=1))
    await bench.deliver([put("a", 1, sequence_number=4711)])
    (line,) = [line for line in bench.log.getvalue().decode().splitlines() if "failed on a record" in line]
    assert all(text in line for text in ('"view"', "4711", "ZeroDivisionError: by a", "Traceback"))


async def test_waits_between_tries_of_a_burial_grow() -> None:
    times: list[float] = []

    class Full:
        async def write(self, _: DeadLetter) -> None:
            times.append(asyncio.get_running_loop().time())
            raise Unavailable("the volume is full", code="DeadLetterFile")

    bench = Bench(reject("a1"), dead_letters=Full(), maximum_retry_attempts=0)
    async with bench.running(changes(1)):
        await asyncio.sleep(100)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0])


async def test_a_dead_letter_that_cannot_be_written_shows_as_a_wait() -> None:
    bench = Bench(reject("a1"), dead_letters=Letters(failures=1_000))
    bench.lanes.give(list(enumerate(changes(2))))
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(bench.lanes.run())
        await asyncio.sleep(1_000)
        assert bench.lanes.waiting() == (1, "DeadLetterFile: the volume is full")
        bench.lanes.stop()
    assert bench.settled == {1: "applied"}
