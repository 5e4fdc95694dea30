"""What a ledger's entry keeps, and what the gate says by it."""

import pytest

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.errors import Rejected
from consumer.processors.gate import Stamp, Verdict
from consumer.processors.ledger.entry import NOTHING, Entry, admit, entry_key, from_item, to_item
from consumer.record import Granularity, Image, Version

US, MS = Granularity.MICROSECOND, Granularity.MILLISECOND
HELD = Stamp(Version(5_000, MS), "one", 3)


def stamp(micros: int, digest: str, granularity: Granularity = US, number: int = 0) -> Stamp:
    return Stamp(Version(micros, granularity), digest, number)


@pytest.mark.parametrize(
    "holds",
    [
        {},
        {'[["S","A-1"]]': "0123456789abcdef"},
        {'[["S","A-1"]]': {"count": "1", "total": "-12345678901234567890123456789.123"}},
    ],
)
def test_an_entry_is_read_as_it_was_written(holds: dict[str, str]) -> None:
    entry = Entry(HELD, holds)
    assert from_item(to_item("a", entry, 7)) == entry


def test_the_entry_of_a_deleted_item_that_holds_nothing_expires_and_no_other_does() -> None:
    gone = Stamp(Version(5), NO_IMAGE_DIGEST, 2)
    assert to_item("a", Entry(gone, {}), 7)["expires"] == {"N": "7"}
    for entry in (Entry(gone, {"row": "digest"}), Entry(HELD, {}), Entry(HELD, {"row": "digest"})):
        assert "expires" not in to_item("a", entry, 7)


def test_an_item_too_long_for_a_key_is_named_by_a_digest_of_its_own() -> None:
    longest = "x" * 2_000
    assert entry_key(longest) == longest
    assert entry_key("é" * 1_000) == "é" * 1_000
    long_keys = {entry_key(text) for text in ("x" * 2_001, "x" * 2_002, "é" * 1_001)}
    assert len(long_keys) == 3
    assert all(len(key.encode()) < 100 for key in long_keys)


@pytest.mark.parametrize(
    "item",
    [
        {"item": {"S": "a"}},
        {"item": {"S": "a"}, "holds": {"M": {}}},
        {"item": {"S": "a"}, RESERVED: {"M": {"v": {"N": "1"}}}, "holds": {"M": {}}},
        {"item": {"S": "a"}, RESERVED: {"S": "mine"}, "holds": {"S": "b"}},
    ],
)
def test_what_is_no_entry_is_the_stores_fault(item: Image) -> None:
    with pytest.raises(Rejected) as caught:
        from_item(item)
    assert (caught.value.code, caught.value.by_store) == ("ForeignRow", True)


def test_each_write_of_an_entry_has_a_round_of_its_own() -> None:
    assert admit(NOTHING.stamp, stamp(5, "one"), None) == (Verdict.NEWER, stamp(5, "one", US, 1))
    assert admit(HELD, stamp(6_000, "two"), None) == (Verdict.NEWER, stamp(6_000, "two", US, 4))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        pytest.param(stamp(4_999, "two"), Verdict.STALE, id="older"),
        pytest.param(stamp(5_000, "one", MS), Verdict.STALE, id="the same"),
        pytest.param(stamp(5_400, "two"), Verdict.TIE, id="of the same millisecond"),
    ],
)
def test_what_is_not_newer_leaves_the_entry_as_it_is(change: Stamp, verdict: Verdict) -> None:
    assert admit(HELD, change, None) == (verdict, HELD)


def test_a_settled_tie_is_told_by_the_coarser_clock_and_ties_again_with_what_tied() -> None:
    verdict, written = admit(HELD, stamp(5_400, "two"), HELD)
    assert (verdict, written) == (Verdict.NEWER, stamp(5_000, "two", MS, 4))
    assert admit(written, stamp(5_700, "three"), None) == (Verdict.TIE, written)


def test_a_tie_is_told_anew_where_somebody_wrote_since() -> None:
    since = HELD._replace(round=4)
    assert admit(since, stamp(5_400, "two"), HELD) == (Verdict.TIE, since)
    assert admit(NOTHING.stamp, stamp(5_400, "two"), HELD) == (Verdict.TIE, NOTHING.stamp)


def test_what_the_source_holds_is_written_again_lest_an_earlier_reader_of_it_still_writes() -> None:
    assert admit(HELD, stamp(5_400, "one"), HELD) == (Verdict.NEWER, stamp(5_000, "one", MS, 4))


def test_what_the_source_held_is_stale_where_a_newer_change_came_since() -> None:
    newer = stamp(6_000, "two", MS, 4)
    assert admit(newer, stamp(5_400, "one"), HELD) == (Verdict.STALE, newer)


def test_what_took_the_place_of_an_entry_that_went_is_replaced_by_what_is_newer() -> None:
    older = stamp(1, "zero", US, 1)
    assert admit(older, stamp(5_400, "two"), older) == (Verdict.NEWER, stamp(5_400, "two", US, 2))
