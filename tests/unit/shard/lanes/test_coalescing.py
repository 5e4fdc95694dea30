"""Several changes of an item taken as one: which of them can be, and what the one says."""

import itertools
from collections.abc import Sequence

import pytest

from consumer.attributes import decode_image
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.shard.envelopes import decode
from consumer.shard.lanes.coalescing import coalesce, leading_run
from tests.support.changes import envelope, in_stream, put

US, MS = Granularity.MICROSECOND, Granularity.MILLISECOND


def at(*versions: tuple[int, Granularity]) -> list[ChangeRecord]:
    return [put("a", micros, granularity=granularity) for micros, granularity in versions]


@pytest.mark.parametrize(
    ("versions", "count"),
    [
        pytest.param([(5, US)], 1, id="a single change"),
        pytest.param([(5, US), (6, US), (7, US)], 3, id="three microseconds"),
        pytest.param([(5, US), (6, US), (6, US), (7, US)], 2, id="a tie ends it"),
        pytest.param([(5, US), (5, US)], 1, id="a tie at once"),
        pytest.param([(5, US), (6, US), (5, US)], 2, id="a tie with the first"),
        pytest.param([(7, US), (5, US), (6, US)], 3, id="out of order, without a tie"),
        pytest.param([(1_000, MS), (2_000, MS)], 2, id="two milliseconds"),
        pytest.param([(1_000, MS), (1_000, MS)], 1, id="a tie within a millisecond"),
        pytest.param([(1_000, MS), (1_001, US)], 1, id="a microsecond within a millisecond told before it"),
        pytest.param([(1_001, US), (1_000, MS)], 1, id="a microsecond within a millisecond told after it"),
        pytest.param(
            [(1_001, US), (1_002, US), (2_000, MS)], 2, id="the coarser clock makes earlier ones tie"
        ),
        pytest.param([(1_001, US), (2_001, US), (3_000, MS)], 3, id="apart even by the coarser clock"),
        pytest.param([(1_000, MS), (2_000, MS), (2_999, US)], 2, id="the coarser clock holds for later ones"),
        pytest.param(
            [(1_001, US), (3_000, MS), (1_000, MS)], 2, id="a tie with the first by the coarser clock"
        ),
    ],
)
def test_changes_are_taken_as_one_while_they_differ_by_the_coarsest_clock_among_them(
    versions: Sequence[tuple[int, Granularity]], count: int
) -> None:
    assert leading_run(at(*versions)) == count


@pytest.mark.parametrize(
    ("alone", "count"),
    [
        pytest.param([], 4, id="none"),
        pytest.param([5], 1, id="the first"),
        pytest.param([6], 1, id="the second"),
        pytest.param([7], 2, id="the third"),
        pytest.param([6, 7], 1, id="two of them"),
        pytest.param([8], 3, id="the last"),
    ],
)
def test_a_change_that_stands_alone_is_taken_with_no_other(alone: Sequence[int], count: int) -> None:
    changes = at((5, US), (6, US), (7, US), (8, US))
    assert leading_run(changes, lambda change: change.micros in alone) == count


CLOCKS = [(1_000, US), (1_001, US), (2_000, US), (1_000, MS), (2_000, MS)]


@pytest.mark.parametrize("versions", list(itertools.product(CLOCKS, repeat=3)))
def test_a_run_is_as_long_as_it_can_be_without_two_changes_that_may_tie(
    versions: Sequence[tuple[int, Granularity]],
) -> None:
    def may_tie(run: Sequence[tuple[int, Granularity]]) -> bool:
        coarsest = max(granularity for _, granularity in run)
        return len({micros // coarsest for micros, _ in run}) < len(run)

    longest = max(count for count in (1, 2, 3) if not may_tie(versions[:count]))
    assert leading_run(at(*versions)) == longest


def change(
    event: EventName, micros: int, old: str | None = None, new: str | None = None, place: int = 1
) -> ChangeRecord:
    """A change whose images are told by one letter."""
    images: list[Image | None] = [None if letter is None else {"v": {"S": letter}} for letter in (old, new)]
    data = envelope(event, {"id": {"S": "a"}}, micros, old=images[0], new=images[1])
    return decode(in_stream(data, place))


def letters(one: ChangeRecord) -> tuple[str, str, str]:
    """The old image, the images between, the new image, each by its letter."""
    texts = [
        "".join(str(decode_image(image)["v"]["S"]) for image in images if image)
        for images in ([one.old_image], one.between, [one.new_image])
    ]
    return texts[0], texts[1], texts[2]


INSERT = change("INSERT", 1, None, "b")
MODIFY = change("MODIFY", 2, "b", "c")
AGAIN = change("MODIFY", 3, "c", "d")
REMOVE = change("REMOVE", 4, "d", None)
REBORN = change("INSERT", 5, None, "e")


@pytest.mark.parametrize(
    ("changes", "event", "images"),
    [
        pytest.param([MODIFY], "MODIFY", ("b", "", "c"), id="a single one is itself"),
        pytest.param([INSERT, MODIFY], "INSERT", ("", "bb", "c"), id="inserted, modified"),
        pytest.param([MODIFY, AGAIN], "MODIFY", ("b", "cc", "d"), id="modified twice"),
        pytest.param([INSERT, MODIFY, AGAIN], "INSERT", ("", "bbcc", "d"), id="every image between is kept"),
        pytest.param([AGAIN, REMOVE], "REMOVE", ("c", "dd", ""), id="modified, removed"),
        pytest.param([INSERT, MODIFY, AGAIN, REMOVE], "REMOVE", ("", "bbccdd", ""), id="a whole life"),
        pytest.param([REMOVE, REBORN], "MODIFY", ("d", "", "e"), id="removed, inserted: was there, is there"),
        pytest.param([AGAIN, REMOVE, REBORN], "MODIFY", ("c", "dd", "e"), id="its old life is between"),
    ],
)
def test_the_one_goes_from_before_the_first_to_after_the_last_with_every_image_between(
    changes: Sequence[ChangeRecord], event: EventName, images: tuple[str, str, str]
) -> None:
    for order in itertools.permutations(changes):
        one = coalesce(order)
        assert (one.event_name, letters(one)) == (event, images)
        assert one.version == max(each.version for each in changes)


def test_the_one_is_at_the_place_of_the_newest_by_version_with_its_keys_and_its_clock() -> None:
    newest, late = change("MODIFY", 9, "c", "d", place=7), change("MODIFY", 8, "b", "c", place=8)
    one = coalesce([newest, late])
    assert (one.stream, one.micros, one.granularity) == (newest.stream, 9, US)
    assert (one.item, one.keys, one.table) == (newest.item, newest.keys, newest.table)


def test_mixed_clocks_are_ordered_by_time() -> None:
    early, later = put("a", 1_999, granularity=US, v="early"), put("a", 2_000, granularity=MS, v="later")
    assert coalesce([later, early]).granularity is MS
    assert decode_image(coalesce([later, early]).new_image)["v"] == {"S": "later"}
