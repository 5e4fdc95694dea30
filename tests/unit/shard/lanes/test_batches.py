"""Batches that are rejected as a whole: halved, or kept together until they are buried."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, Outcome
from consumer.record import ChangeRecord
from consumer.shard.lanes.outage import REJECTED_RUN
from tests.support.changes import put
from tests.unit.shard.lanes.bench import (
    AWAY,
    BAD,
    OF_THE_STORE,
    Bench,
    apply_all,
    changes,
    raising,
)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("bad", ["a1", "d1", "h1"])
async def test_a_batch_that_is_rejected_is_halved_until_only_the_bad_record_is_buried(
    bad: str, batch_size: int
) -> None:
    bench = Bench(raising(bad), batch_size=batch_size)
    await bench.deliver(changes(8))
    assert bench.buried == {bad: 6}
    assert list(bench.settled.values()).count("applied") == 7


async def test_halves_without_a_bad_record_are_not_halved_further() -> None:
    bench = Bench(raising("c1", "h1"), maximum_retry_attempts=0)
    await bench.deliver(changes(8))
    assert bench.batches == [
        "a1 b1 c1 d1 e1 f1 g1 h1",
        *("a1 b1 c1 d1", "a1 b1", "c1 d1", "c1", "d1"),
        *("e1 f1 g1 h1", "e1 f1", "g1 h1", "g1", "h1"),
    ]
    assert bench.buried == {"c1": 1, "h1": 1}


async def test_an_items_later_records_in_a_halved_batch_wait_for_its_bad_one() -> None:
    bench = Bench(raising("a1"), maximum_retry_attempts=1)
    await bench.deliver([put("a", 1), put("a", 2), put("b", 1), put("a", 3)])
    assert bench.batches == ["a1 a2 b1 a3", "a1 a2", "a1", "b1", "a1", "a2 a3"]


async def test_a_batch_kept_together_is_tried_as_it_is_and_buried_whole() -> None:
    bench = Bench(raising("c1"), batch_size=4, bisects=False)
    await bench.deliver(changes(6))
    assert bench.batches == ["a1 b1 c1 d1"] * 6 + ["e1 f1"]
    assert bench.waits[:5] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert bench.buried == dict.fromkeys(("a1", "b1", "c1", "d1"), 6)
    assert dict(bench.counts) == {"retry": 5, "dead letter": 4}
    assert bench.settled == {**dict.fromkeys(range(4), "failed"), 4: "applied", 5: "applied"}


async def test_a_batch_kept_together_of_several_records_of_an_item_is_buried_in_order() -> None:
    bench = Bench(raising("a1"), bisects=False, maximum_retry_attempts=0)
    await bench.deliver([put("a", 1), put("b", 1), put("a", 2), put("a", 3)])
    assert bench.batches == ["a1 b1 a2 a3"]
    assert list(bench.buried) == ["a1", "b1", "a2", "a3"]


async def test_a_batch_kept_together_that_is_accepted_at_last_leaves_no_dead_letter() -> None:
    bench = Bench(raising("c1", tries=5), bisects=False)
    await bench.deliver(changes(4))
    assert (set(bench.settled.values()), bench.buried) == ({"applied"}, {})


async def test_a_batch_kept_together_without_a_limit_is_tried_for_ever() -> None:
    bench = Bench(raising("c1"), bisects=False, maximum_retry_attempts=-1)
    async with bench.running(changes(4)):
        await asyncio.sleep(3_600)
    assert (bench.settled, bench.buried) == ({}, {})
    assert bench.waits[-50:] == pytest.approx([30.0] * 50)


async def test_a_record_alone_in_its_batch_has_nothing_to_be_kept_together_with() -> None:
    bench = Bench(raising("a1"), batch_size=1, bisects=False)
    await bench.deliver(changes(2))
    assert bench.batches == ["a1", "b1", *["a1"] * 5]
    assert bench.buried == {"a1": 6}


async def test_a_failure_without_a_name_is_halved_even_where_batches_are_kept_together() -> None:
    bench = Bench(raising("c1", error=ZeroDivisionError(), tries=4), bisects=False)
    await bench.deliver(changes(4))
    assert bench.batches == ["a1 b1 c1 d1", "a1 b1", "c1 d1", "c1", "d1", "c1", "c1"]
    assert (bench.buried, bench.counts["dead letter"]) == ({}, 0)


async def test_a_store_that_is_away_between_a_batchs_tries_buries_nothing() -> None:
    answers: Iterator[Rejected | Unavailable | None] = iter([BAD] * 5 + [AWAY] * 50)

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        error = next(answers, None)
        if error is not None:
            raise error
        return [APPLIED] * len(records)

    bench = Bench(process, bisects=False)
    await bench.deliver(changes(4))
    assert (set(bench.settled.values()), bench.buried) == ({"applied"}, {})


async def test_twenty_batches_in_a_row_that_the_store_rejects_are_an_outage_and_not_buried() -> None:
    is_mended = False

    async def process(records: Sequence[ChangeRecord]) -> list[Outcome]:
        if not is_mended:
            raise OF_THE_STORE
        return await apply_all(records)

    bench = Bench(process, lanes=64, batch_size=2, bisects=False)
    async with bench.running([put(f"item-{number}", tick) for number in range(300) for tick in range(2)]):
        await asyncio.sleep(3_600)
        first = {batch for batch in bench.batches if " " in batch}
        assert len(first) >= REJECTED_RUN
        assert (bench.buried, bench.counts["rejected run"], bench.settled) == ({}, 1, {})
        assert all(" " not in batch for batch in bench.batches[-10:])
        assert bench.trouble.last_error is not None
        assert "rejected with 42703" in bench.trouble.last_error
        is_mended = True
        await asyncio.sleep(60)
    assert len(bench.settled) == 600
    assert set(bench.settled.values()) == {"applied"}
