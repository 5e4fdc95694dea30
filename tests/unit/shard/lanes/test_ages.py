"""Records that are older than maximum_record_age when their turn comes."""

import asyncio
from collections.abc import Sequence

from consumer.processors.base import APPLIED, Outcome, failed
from consumer.record import ChangeRecord
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, EPOCH, Bench, apply_all, name


def aged(item: str, seconds: float) -> ChangeRecord:
    """A change that happened so long before the lanes were begun."""
    return put(item, int((EPOCH - seconds) * 1e6))


def by_age(bench: Bench, records: Sequence[ChangeRecord]) -> dict[int, int]:
    """Of each record in the dead letter, in the order they were buried: which one it is, and its attempts."""
    names = [name(record) for record in records]
    return {names.index(each): attempts for each, attempts in bench.buried.items()}


async def test_an_older_record_is_buried_untried_and_a_younger_one_is_not() -> None:
    records = [aged("a", 61), aged("b", 60), aged("c", 0)]
    bench = Bench(apply_all, maximum_record_age=60.0)
    await bench.deliver(records)
    assert bench.settled == {0: "failed", 1: "applied", 2: "applied"}
    assert by_age(bench, records) == {0: 0}
    (letter,) = bench.letters.kept
    assert letter.error.code == "RecordTooOld"
    assert str(letter.error) == "the change is 61 s old; maximum_record_age is 60 s"


async def test_without_a_limit_no_record_is_too_old() -> None:
    bench = Bench(apply_all)
    await bench.deliver([put("a", 1)])
    assert bench.settled == {0: "applied"}


async def test_an_items_records_stay_in_order_around_those_that_are_too_old() -> None:
    records = [aged("a", age) for age in (10, 90, 20, 80, 15)]
    bench = Bench(apply_all, maximum_record_age=60.0)
    await bench.deliver([*records, aged("b", 5)])
    assert list(bench.settled.values()).count("applied") == 4
    assert [number for number in bench.settled if number < 5] == [0, 1, 2, 3, 4]
    assert by_age(bench, records) == {1: 0, 3: 0}


async def test_a_batch_of_which_everything_is_too_old_is_not_delivered() -> None:
    records = [aged("a", 90), aged("a", 80), aged("b", 70)]
    bench = Bench(apply_all, maximum_record_age=60.0)
    await bench.deliver(records)
    assert bench.batches == []
    assert by_age(bench, records) == {0: 0, 1: 0, 2: 0}


async def test_a_record_that_grows_too_old_while_it_waits_is_buried_with_its_attempts() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY) if record.item == "a" else APPLIED for record in records]

    records = [aged("a", 0), aged("b", 0)]
    bench = Bench(process, maximum_record_age=60.0)
    await bench.deliver(records)
    assert by_age(bench, records) == {0: 0}
    assert asyncio.get_running_loop().time() > 60


async def test_records_that_are_too_old_do_not_wait_for_a_store_that_is_away() -> None:
    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        return [failed(AWAY)] * len(records)

    bench = Bench(process, maximum_record_age=60.0)
    await bench.deliver([aged(f"item-{number}", 0) for number in range(50)])
    assert set(bench.settled.values()) == {"failed"}
    assert asyncio.get_running_loop().time() < 120
