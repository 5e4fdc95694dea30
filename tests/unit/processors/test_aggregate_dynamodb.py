"""The aggregate from change to sums, on an in-memory DynamoDB."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, STALE
from consumer.processors.gate import LATE_SECONDS
from consumer.record import ChangeRecord, Image
from tests.support.in_memory_dynamodb import Answer
from tests.unit.processors.sums_bench import (
    LEDGER,
    LINES,
    MS,
    NOW,
    SUMS,
    TOMBSTONE_SECONDS,
    Away,
    SumsBench,
    change,
    item,
    order,
)


async def test_an_item_is_counted_once_however_often_it_comes() -> None:
    bench = SumsBench()
    counted = change(item("a", "x", "12.5"), 5)
    assert await bench.processor().process([counted]) == [APPLIED]
    assert bench.dynamodb.calls == ["BatchGetItem", "TransactWriteItems"]
    assert await bench.processor().process([counted]) == [STALE]
    assert bench.counted() == {"x": {"count": "1", "total": "12.5"}}


async def test_a_change_adds_what_is_new_less_what_was_counted_and_moves_between_groups() -> None:
    bench = SumsBench()
    processor = bench.processor()
    await processor.process([change(item("a", "x", "10"), 5), change(item("b", "x", "1"), 5)])
    await processor.process([change(item("a", "x", "12"), 6, old=item("a", "x", "10"))])
    assert bench.counted() == {"x": {"count": "2", "total": "13"}}
    await processor.process([change(item("a", "y", "12"), 7, old=item("a", "x", "12"))])
    assert bench.counted() == {"x": {"count": "1", "total": "1"}, "y": {"count": "1", "total": "12"}}


async def test_a_late_change_is_stale_and_what_was_deleted_is_not_counted_again() -> None:
    bench = SumsBench()
    first = item("a", "x", "1")
    outcomes = await bench.processor().process(
        [change(first, 5), change(item("a", "x", "9"), 4), change(None, 6, old=first), change(first, 5)]
    )
    assert outcomes == [APPLIED, STALE, APPLIED, STALE]
    assert bench.counted() == {}
    assert bench.sums.row(g="x") == {"g": {"S": "x"}, "count": {"N": "0"}, "total": {"N": "0"}}


async def test_the_entry_of_a_deleted_item_expires_once_no_older_change_can_come() -> None:
    bench = SumsBench()
    await bench.processor().process([change(item("a", "x", "1"), 5)])
    assert bench.entry("a") == {
        "item": {"S": "a"},
        "holds": {"M": {'[["S","x"]]': {"M": {"count": {"S": "1"}, "total": {"S": "1"}}}}},
    }
    await bench.processor().process([change(None, 6, old=item("a", "x", "1"))])
    expires = int(NOW + TOMBSTONE_SECONDS + LATE_SECONDS)
    assert bench.entry("a") == {"item": {"S": "a"}, "holds": {"M": {}}, "expires": {"N": str(expires)}}


async def test_what_others_keep_in_a_row_stays_as_it_is() -> None:
    bench = SumsBench()
    theirs: Image = {"g": {"S": "x"}, "on_hand": {"N": "7"}, "name": {"S": "lamp"}, "count": {"N": "100"}}
    bench.sums.put(theirs)
    await bench.processor().process([change(item("a", "x", "1"), 5)])
    assert bench.sums.row(g="x") == {**theirs, "count": {"N": "101"}, "total": {"N": "1"}}


async def test_a_group_of_two_keys_is_found_again_by_numbers_that_are_spelled_otherwise() -> None:
    bench = SumsBench(group_by={"g": "new.g", "n": "new.n"}, add={"count": "`1`"})
    names = {"a": "10", "b": "1E1", "c": "10.0", "d": "11"}
    await bench.processor().process([change(item(name, "x", n), 5) for name, n in names.items()])
    assert bench.counted() == {"x 1E+1": {"count": "3"}, "x 11": {"count": "1"}}


async def test_items_of_one_batch_add_to_their_group_together() -> None:
    bench = SumsBench()
    outcomes = await bench.processor().process([change(item(f"i{n}", "x", "0.1"), 5) for n in range(150)])
    assert outcomes == [APPLIED] * 150
    assert bench.counted() == {"x": {"count": "150", "total": "15"}}
    assert bench.dynamodb.calls == ["BatchGetItem"] * 2 + ["TransactWriteItems"] * 2


async def test_sums_of_38_digits_are_exact() -> None:
    bench = SumsBench()
    digits = "1234567890123456789012345678901234567"
    await bench.processor().process([change(item("a", "x", f"{digits}8"), 5), change(item("b", "x", "1"), 5)])
    assert bench.counted() == {"x": {"count": "2", "total": f"{digits}9"}}
    await bench.processor().process([change(None, 6, old=item("b", "x", "1"))])
    assert bench.counted() == {"x": {"count": "1", "total": f"{digits}8"}}


async def test_a_sum_that_would_need_more_digits_is_rejected_by_group_and_name_and_nobody_else_is() -> None:
    bench = SumsBench()
    nines = "9" * 38
    bench.sums.put({"g": {"S": "x"}, "total": {"N": nines}})
    outcomes = await bench.processor().process(
        [
            change(item(name, group, n), 5)
            for name, group, n in (("a", "x", "-9"), ("b", "x", "0.5"), ("c", "y", "2"), ("d", "a", "3"))
        ]
    )
    error = outcomes[1].error
    assert isinstance(error, Rejected)
    assert (error.code, error.by_store) == ("SumOutOfRange", False)
    assert f"""the sum total of group [["S","x"]] would be {nines[1:]}0.5""" in str(error)
    assert [outcomes[0], *outcomes[2:]] == [APPLIED] * 3
    assert bench.counted() == {
        "x": {"count": "1", "total": f"{nines[1:]}0"},
        "y": {"count": "1", "total": "2"},
        "a": {"count": "1", "total": "3"},
    }
    assert bench.entry("b") is None
    # All at once; the other groups' items together; then each of this group's by itself.
    assert bench.dynamodb.calls.count("TransactWriteItems") == 1 + 1 + 2


async def test_an_attribute_that_is_no_number_is_the_stores_fault() -> None:
    bench = SumsBench()
    bench.sums.put({"g": {"S": "x"}, "total": {"S": "much"}})
    outcomes = await bench.processor().process(
        [change(item("a", "x", "1"), 5), change(item("b", "y", "1"), 5)]
    )
    error = outcomes[0].error
    assert isinstance(error, Rejected)
    assert error.by_store
    assert """the attribute 'total' of row [["S","x"]] in table 'sums' is of type S""" in str(error)
    assert outcomes[1] == APPLIED
    assert bench.sums.row(g="x") == {"g": {"S": "x"}, "total": {"S": "much"}}


async def test_an_item_that_fails_at_one_of_its_groups_is_rejected_by_that_groups_name() -> None:
    bench = SumsBench(**LINES)
    bench.sums.put({"p": {"S": "p2"}, "reserved": {"N": "9" * 38}})
    (outcome,) = await bench.processor().process([change(order("a", ("p1", "1"), ("p2", "0.1")), 5)])
    assert isinstance(outcome.error, Rejected)
    assert 'the sum reserved of group [["S","p2"]]' in str(outcome.error)
    assert bench.counted() == {"p2": {"reserved": "9" * 38}}


async def test_a_fault_that_cannot_be_looked_at_is_told_in_the_stores_words() -> None:
    bench = SumsBench()
    bench.sums.put({"g": {"S": "x"}, "total": {"N": "9" * 38}})

    class OnlyTheLedger:
        async def call(
            self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
        ) -> Answer:
            if operation == "BatchGetItem" and isinstance(request, dict) and SUMS in request["RequestItems"]:
                raise Unavailable("throttled", code="ThrottlingException")
            return await bench.dynamodb.call(operation, request, expect=expect)

    (outcome,) = await bench.processor(client=OnlyTheLedger()).process([change(item("a", "x", "0.1"), 5)])
    assert isinstance(outcome.error, Rejected)
    assert "Number overflow" in str(outcome.error)


async def test_an_item_whose_own_entry_is_too_large_is_rejected_and_no_row_is_looked_at() -> None:
    bench = SumsBench(**{**LINES, "add": {"n" * 3_000: "item.q", "m" * 3_000: "item.q"}})
    large = order("large", *((f"p{number}", "1") for number in range(90)))
    outcomes = await bench.processor().process(
        [change(order("a", ("p1", "1")), 5), change(large, 5), change(order("b", ("p1", "1")), 5)]
    )
    error = outcomes[1].error
    assert isinstance(error, Rejected)
    assert (outcomes[0], outcomes[2], error.by_store) == (APPLIED, APPLIED, False)
    assert error.code == "EntryTooLarge"
    assert bench.dynamodb.calls == ["BatchGetItem", "TransactWriteItems"]


async def test_a_number_that_replaces_one_far_from_it_is_counted_exactly() -> None:
    bench = SumsBench()
    small, large = item("a", "x", "1E-30"), item("a", "x", "1E+30")
    await bench.processor().process([change(small, 5)])
    assert await bench.processor().process([change(large, 6, old=small)]) == [APPLIED]
    assert bench.counted()["x"]["total"] == "1" + "0" * 30
    assert await bench.processor().process([change(small, 7, old=large)]) == [APPLIED]
    assert bench.counted()["x"] == {"count": "1", "total": "0." + "0" * 29 + "1"}


async def test_an_entry_of_another_processor_is_refused() -> None:
    bench = SumsBench()
    await bench.processor().process([change(item("a", "x", "1"), 5)])
    entry = bench.ledger.rows[next(iter(bench.ledger.rows))]
    entry["holds"] = {"M": {'[["S","x"]]': {"S": "a row's digest"}}}
    outcomes = await bench.processor().process(
        [change(item("a", "x", "2"), 6), change(item("b", "x", "1"), 6)]
    )
    error = outcomes[0].error
    assert isinstance(error, Rejected)
    assert (error.code, error.by_store, outcomes[1]) == ("ForeignRow", True, APPLIED)


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
async def test_a_store_that_is_away_is_nobodys_fault(operation: str) -> None:
    bench = SumsBench()
    away = bench.processor(client=Away(bench.dynamodb, operation))
    (outcome,) = await away.process([change(item("a", "x", "1"), 5)])
    assert isinstance(outcome.error, Unavailable)
    assert bench.counted() == {}


async def test_nothing_is_begun_once_the_process_is_about_to_end() -> None:
    bench = SumsBench()
    processor = bench.processor(is_stopping=lambda: True)
    assert await processor.process([change(item("a", "x", "1"), 5)]) == [HELD]
    assert bench.counted() == {}


async def test_who_waits_for_a_group_while_the_process_comes_to_its_end_begins_nothing() -> None:
    is_over = False

    async def pause(operation: str) -> None:
        nonlocal is_over
        await asyncio.sleep(0)
        is_over = is_over or operation == "TransactWriteItems"

    bench = SumsBench(pause)
    processor = bench.processor(is_stopping=lambda: is_over)
    lanes = [[change(item(name, "x", "1"), 5)] for name in "ab"]
    assert await asyncio.gather(*map(processor.process, lanes)) == [[APPLIED], [HELD]]
    assert bench.counted() == {"x": {"count": "1", "total": "1"}}


class Intruder:
    """Another writer of the same items, who comes in between a read of entries and what follows it."""

    def __init__(self, bench: SumsBench, records: Sequence[ChangeRecord]) -> None:
        self._bench = bench
        self._records = list(records)

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "TransactWriteItems" and self._records:
            records, self._records = self._records, []
            await self._bench.processor().process(records)
        return await self._bench.dynamodb.call(operation, request, expect=expect)


async def test_an_item_that_another_writer_counted_meanwhile_is_judged_again_and_the_others_go_on() -> None:
    bench = SumsBench()
    newer = change(item("a", "x", "7"), 9)
    older = change(item("b", "x", "3"), 2)
    left_behind = bench.processor(client=Intruder(bench, [newer, older]))
    outcomes = await left_behind.process(
        [change(item("a", "x", "1"), 5), change(item("b", "x", "4"), 5), change(item("c", "x", "5"), 5)]
    )
    assert outcomes == [STALE, APPLIED, APPLIED]
    assert bench.counted() == {"x": {"count": "3", "total": "16"}}
    assert bench.conflicts == 1


async def test_a_duplicate_that_another_writer_counts_at_the_same_time_is_counted_once() -> None:
    bench = SumsBench()
    same = change(item("a", "x", "1"), 5)
    assert await bench.processor(client=Intruder(bench, [same])).process([same]) == [STALE]
    assert bench.counted() == {"x": {"count": "1", "total": "1"}}


async def test_a_tie_is_settled_by_what_the_source_holds() -> None:
    bench = SumsBench()
    bench.source.put(item("a", "x", "2"))
    outcomes = await bench.processor().process(
        [
            change(item("a", "x", "1"), 5_000, granularity=MS),
            change(item("a", "x", "3"), 5_000, granularity=MS),
        ]
    )
    assert (outcomes, bench.ties) == ([APPLIED, APPLIED], 1)
    assert bench.counted() == {"x": {"count": "1", "total": "2"}}


async def test_the_ledgers_stamp_tells_the_version_and_counts_the_writes() -> None:
    bench = SumsBench()
    await bench.processor().process([change(item("a", "x", "1"), 5), change(item("a", "x", "2"), 6)])
    entry = bench.dynamodb.tables[LEDGER].row(item="a")
    assert entry is not None
    stamp = entry[RESERVED]["M"]
    assert isinstance(stamp, dict)
    assert (stamp["v"], stamp["n"]) == ({"N": "6"}, {"N": "2"})
