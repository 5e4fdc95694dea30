"""Keys that move between items whose shards are not equally far: the source tells what is still to come."""

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, Outcome
from consumer.processors.projection.mapping import Desired
from consumer.processors.projection.owners import Owners
from consumer.processors.projection.waits import MORE
from consumer.processors.source import SourceReader
from consumer.record import ChangeRecord, Image
from consumer.settings.context import TableFacts
from tests.support.changes import TABLE
from tests.unit.processors.rows_bench import BY_CODE, BY_LINE, NOW, Flaky, RowsBench, change, coded, lined

BY_SKU = {**BY_LINE, "key": {"sku": "item.sku"}}


def code_of(outcome: Outcome) -> str | None:
    return None if outcome.error is None else outcome.error.code


@pytest.mark.parametrize("now", [coded("z"), None, coded("y", "out")], ids=["moved", "gone", "outside"])
async def test_a_key_that_its_owner_has_no_more_in_the_source_is_waited_for(now: Image | None) -> None:
    bench = RowsBench(**BY_CODE, when="new.v != 'out'")
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    if now is not None:
        bench.is_now("b", now)
    taken = change("a", 3, coded("y", "of a"))
    for _ in range(9):
        (outcome,) = await processor.process([taken])
        assert code_of(outcome) == "KeyTaken"
        assert isinstance(outcome.error, Unavailable)
        assert outcome.error.of_item
        bench.now += 30

    await bench.processor().process([change("b", 2, now)])

    assert await processor.process([taken]) == [APPLIED]
    assert bench.rows()["y"] == {"v": "of a"}


async def test_an_element_that_its_order_has_no_more_in_the_source_is_waited_for() -> None:
    bench = RowsBench(**BY_SKU)
    processor = bench.processor()
    await processor.process([change("b", 1, lined({"x": "1", "y": "1"}))])
    taken = change("a", 2, lined({"y": "2"}))
    for lines, code in (({"x": "1"}, "KeyTaken"), ({"y": "1"}, "KeyNotUnique")):
        bench.is_now("b", lined(lines))
        await processor.process([taken])
        bench.now += 60
        assert code_of(*await processor.process([taken])) == code


async def test_who_waits_for_what_does_not_come_is_told_to_redrive_that_first() -> None:
    bench = RowsBench(**BY_CODE)
    processor = bench.processor()
    await processor.process([change("b", 1, coded("y"))])
    bench.is_now("b", coded("z"))
    codes = []
    outcome = APPLIED
    while bench.now <= NOW + 60 + MORE * 60:
        (outcome,) = await processor.process([change("a", 2, coded("y"))])
        codes.append(code_of(outcome))
        bench.now += 30
    assert set(codes[:-1]) == {"KeyTaken"}
    assert isinstance(outcome.error, Rejected)
    assert codes[-1] == "KeyNotUnique"
    assert "redrive it first" in str(outcome.error)


async def ended_wait(bench: RowsBench, owner: str = "b", *, readable: bool = True) -> str | None:
    """How the wait of an item ends for a key that its owner had first."""
    processor = bench.processor(readable=readable)
    await processor.process([change(owner, 1, coded("y"))])
    taken = change("a", 2, coded("y"))
    assert code_of(*await processor.process([taken])) == "KeyTaken"
    bench.now += 60
    return code_of(*await processor.process([taken]))


async def test_where_the_source_may_not_be_read_the_wait_has_its_end() -> None:
    bench = RowsBench(**BY_CODE)
    assert await ended_wait(bench, readable=False) == "KeyNotUnique"
    assert bench.dynamodb.calls.count("GetItem") == 0


@pytest.mark.parametrize("owner", ["b" * 2_001, f"digest:{'0a' * 32}"], ids=["long", "like a digest"])
async def test_an_owner_that_is_known_by_a_digest_can_not_be_asked_for(owner: str) -> None:
    assert await ended_wait(RowsBench(**BY_CODE), owner) == "KeyNotUnique"


async def test_an_owner_whose_change_can_not_be_mapped_gives_nothing_up() -> None:
    bench = RowsBench(key=BY_CODE["key"], fields={"v": "length(new.v)"})
    bench.is_now("b", {"code": {"S": "z"}, "v": {"N": "1"}})
    assert await ended_wait(bench) == "KeyNotUnique"


class Broken:
    """A mapping that raises what nobody has a name for."""

    def holding(self, change: ChangeRecord, image: Image | None) -> Desired:
        raise RecursionError(change.item, image)


async def test_a_mapping_that_breaks_tells_nothing() -> None:
    bench = RowsBench(**BY_CODE)
    table = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
    assert await Owners(Broken(), SourceReader(bench.dynamodb, table, readable=True)).rows("b") is None


async def test_a_source_that_does_not_answer_ends_no_wait() -> None:
    bench = RowsBench(**BY_CODE)
    bench.is_now("b", coded("y"))
    processor = bench.processor(Flaky(bench.dynamodb, "GetItem", lost=1, is_done=False))
    await processor.process([change("b", 1, coded("y"))])
    codes = []
    for _ in range(3):
        codes.append(code_of(*await processor.process([change("a", 2, coded("y"))])))
        bench.now += 60
    assert codes == ["KeyTaken", "TimeoutError", "KeyNotUnique"]
