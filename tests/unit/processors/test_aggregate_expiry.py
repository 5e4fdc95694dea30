"""What an expiry leaves counted."""

from collections.abc import Sequence

import pytest

from tests.support.changes import BY_TTL
from tests.unit.processors.sums_bench import MS, SumsBench, change, item

GONE = item("a", "x", "4")
EXPIRED = change(None, 6_000, old=GONE, by=BY_TTL, granularity=MS)


@pytest.mark.parametrize("delivered", [[0, 1], [1, 0], [1, 0, 1], [1]])
async def test_what_an_expiry_keeps_counted_does_not_hang_on_the_order(delivered: Sequence[int]) -> None:
    bench = SumsBench(on_expiry="keep")
    history = [change(GONE, 5_000, granularity=MS), EXPIRED]
    for place in delivered:
        await bench.processor().process([history[place]])
    assert bench.counted() == {"x": {"count": "1", "total": "4"}}
    entry = bench.entry("a")
    assert entry is not None
    assert "expires" not in entry


@pytest.mark.parametrize("delivered", [[0, 1, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0, 1]])
async def test_an_expiry_and_what_was_written_in_its_millisecond_end_alike_in_any_order(
    delivered: Sequence[int],
) -> None:
    bench = SumsBench(on_expiry="keep")
    before = item("a", "y", "3")
    history = [
        change(before, 6_000, granularity=MS),
        change(GONE, 6_000, old=before, granularity=MS),
        EXPIRED,
    ]
    for place in delivered:
        assert (await bench.processor().process([history[place]]))[0].error is None
    assert bench.counted() == {"x": {"count": "1", "total": "4"}}


async def test_an_item_that_comes_back_after_its_expiry_takes_the_place_of_what_was_kept() -> None:
    bench = SumsBench(on_expiry="keep")
    await bench.processor().process([EXPIRED, change(item("a", "y", "1"), 7_000, granularity=MS)])
    assert bench.counted() == {"y": {"count": "1", "total": "1"}}
    await bench.processor().process([change(None, 8_000, old=item("a", "y", "1"))])
    assert bench.counted() == {}


async def test_an_expiry_takes_back_what_was_counted_where_the_settings_say_remove() -> None:
    bench = SumsBench(on_expiry="remove")
    await bench.processor().process([change(GONE, 5_000, granularity=MS), EXPIRED])
    assert bench.counted() == {}
