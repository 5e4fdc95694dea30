import itertools

import pytest

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.processors.gate import (
    DYNAMODB_NEWER,
    Stamp,
    Verdict,
    dynamodb_equal,
    dynamodb_equal_values,
    dynamodb_newer_values,
    is_past_horizon,
    judge,
    merge,
    stamp_from_attribute,
    stamp_to_attribute,
)
from consumer.record import AttributeValue, Granularity, Image, Version
from tests.support.dynamodb_expressions import holds

US, MS, S = Granularity.MICROSECOND, Granularity.MILLISECOND, Granularity.SECOND
GRANULARITIES = (US, MS, S)

# Around the edges of one millisecond and of one second.
TICKS = (0, 1, 999, 1_000, 1_999, 2_000, 998_999, 999_999, 1_000_000, 1_000_001, 1_001_000, 2_000_000)


def versions() -> list[Version]:
    return [
        Version(ticks - ticks % granularity, granularity) for ticks in TICKS for granularity in GRANULARITIES
    ]


@pytest.mark.parametrize(
    ("row", "change", "verdict"),
    [
        pytest.param(None, (5, US, "a"), Verdict.NEWER, id="no row"),
        pytest.param((4, US, "a"), (5, US, "a"), Verdict.NEWER, id="older row"),
        pytest.param((5, US, "a"), (5, US, "a"), Verdict.STALE, id="duplicate"),
        pytest.param((5, US, "a"), (5, US, "b"), Verdict.TIE, id="tie"),
        pytest.param((6, US, "a"), (5, US, "b"), Verdict.STALE, id="late"),
        pytest.param((5, US, "-"), (5, US, "-"), Verdict.STALE, id="duplicate delete"),
        pytest.param((5, US, "-"), (5, US, "b"), Verdict.TIE, id="delete and put in one tick"),
        pytest.param((1_500, US, "a"), (1_000, MS, "b"), Verdict.TIE, id="within the change's millisecond"),
        pytest.param((1_500, US, "a"), (2_000, MS, "b"), Verdict.NEWER, id="before the change's millisecond"),
        pytest.param((2_000, US, "a"), (1_000, MS, "b"), Verdict.STALE, id="after the change's millisecond"),
        pytest.param((1_000, MS, "a"), (1_999, US, "b"), Verdict.TIE, id="within the row's millisecond"),
        pytest.param((1_000, MS, "a"), (2_000, US, "b"), Verdict.NEWER, id="after the row's millisecond"),
        pytest.param((1_000, MS, "a"), (999, US, "b"), Verdict.STALE, id="before the row's millisecond"),
        pytest.param((1_000_000, S, "a"), (1_999_000, MS, "b"), Verdict.TIE, id="within the row's second"),
        pytest.param((1_000, MS, "a"), (1_999, US, "a"), Verdict.STALE, id="same image, finer change"),
        pytest.param((1_500, US, "a"), (1_000, MS, "a"), Verdict.TIE, id="same image, finer row"),
    ],
)
def test_the_gate_judges(
    row: tuple[int, Granularity, str] | None, change: tuple[int, Granularity, str], verdict: Verdict
) -> None:
    held = None if row is None else Stamp(Version(row[0], row[1]), row[2])
    assert judge(held, Stamp(Version(change[0], change[1]), change[2])) is verdict


@pytest.mark.parametrize("granularities", list(itertools.product(GRANULARITIES, GRANULARITIES)))
def test_two_versions_are_ordered_by_the_coarser_of_their_clocks(
    granularities: tuple[Granularity, Granularity],
) -> None:
    coarser = max(granularities)
    for one, other in itertools.product(TICKS, TICKS):
        row = Version(one - one % granularities[0], granularities[0])
        change = Version(other - other % granularities[1], granularities[1])
        held, came = one // coarser, other // coarser
        expected = Verdict.NEWER if held < came else Verdict.STALE if held > came else Verdict.TIE
        assert judge(Stamp(row, "a"), Stamp(change, "b")) is expected


def row_with(stamp: Stamp) -> dict[str, AttributeValue]:
    return {"id": {"S": "x"}, RESERVED: stamp_to_attribute(stamp)}


def test_dynamodbs_condition_lets_through_exactly_what_the_gate_calls_newer() -> None:
    for held, came in itertools.product(versions(), versions()):
        passes = holds(
            DYNAMODB_NEWER, row_with(Stamp(held, "a")), {"#t": RESERVED}, dynamodb_newer_values(came)
        )
        assert passes is (judge(Stamp(held, "a"), Stamp(came, "b")) is Verdict.NEWER), (held, came)


def test_dynamodbs_condition_never_holds_for_a_row_that_is_not_ours() -> None:
    values = dynamodb_newer_values(Version(5))
    rows: list[Image] = [{}, {RESERVED: {"S": "x"}}, {RESERVED: {"M": {"v": {"N": "1"}}}}]
    for foreign in rows:
        assert not holds(DYNAMODB_NEWER, foreign, {"#t": RESERVED}, values)


def test_the_compare_and_set_holds_only_for_the_very_stamp_that_was_read() -> None:
    stamps = [
        Stamp(version, digest, rounds)
        for version, digest, rounds in itertools.product(versions(), ("a", NO_IMAGE_DIGEST), (0, 1, 2))
    ]
    distinct = list(dict.fromkeys(stamps))
    for held, read in itertools.product(distinct, distinct):
        passes = holds(dynamodb_equal(read), row_with(held), {"#t": RESERVED}, dynamodb_equal_values(read))
        assert passes is (held == read)


def test_a_stamp_comes_back_from_the_row_as_it_was_kept() -> None:
    for version in versions():
        for rounds in (0, 1, 7):
            stamp = Stamp(version, "0123456789abcdef", rounds)
            kept = stamp_from_attribute(stamp_to_attribute(stamp))
            assert (kept, kept.version.granularity) == (stamp, version.granularity)


@pytest.mark.parametrize(
    "attribute",
    [
        {},
        {"S": "x"},
        {"M": []},
        {"M": {}},
        {"M": {"v": {"N": "1"}, "p": {"S": "us"}}},
        {"M": {"v": {"N": "1.5"}, "p": {"S": "us"}, "d": {"S": "a"}}},
        {"M": {"v": {"S": "1"}, "p": {"S": "us"}, "d": {"S": "a"}}},
        {"M": {"v": {"N": "1"}, "p": {"S": "fortnight"}, "d": {"S": "a"}}},
        {"M": {"v": [], "p": {"S": "us"}, "d": {"S": "a"}}},
    ],
)
def test_a_mark_that_is_not_ours_is_told_apart(attribute: AttributeValue) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        stamp_from_attribute(attribute)


def test_a_settled_tie_ties_again_with_all_that_tied_before() -> None:
    for held, came in itertools.product(versions(), versions()):
        if judge(Stamp(held, "a"), Stamp(came, "b")) is not Verdict.TIE:
            continue
        merged = Stamp(merge(held, came), "c")
        for version in (held, came):
            assert judge(merged, Stamp(version, "d")) is Verdict.TIE


def test_settling_a_tie_never_puts_a_row_behind_a_change_that_was_newer() -> None:
    for held, came, later in itertools.product(versions(), versions(), versions()):
        if judge(Stamp(held, "a"), Stamp(came, "b")) is not Verdict.TIE:
            continue
        merged = Stamp(merge(held, came), "c")
        if judge(Stamp(held, "a"), Stamp(later, "d")) is Verdict.STALE:
            assert judge(merged, Stamp(later, "d")) is not Verdict.NEWER


@pytest.mark.parametrize(("seconds", "is_past"), [(86_400 - 3_600 - 1, False), (86_400 - 3_600, True)])
def test_a_change_is_past_the_horizon_once_the_first_tombstone_after_it_may_soon_be_gone(
    seconds: int, *, is_past: bool
) -> None:
    created = 1_700_000_000
    version = Version(created * 1_000_000, Granularity.MILLISECOND)
    assert is_past_horizon(version, created + seconds, 86_400.0) is is_past
