"""Ids and versions of documents: one for each row, and never another's."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.processors.gate import Stamp, Verdict, judge
from consumer.processors.projection.documents import Documents, stamp_of, version_of
from consumer.processors.projection.mapping import ProjectionMapping
from consumer.record import AttributeValue, Granularity, Image, Version
from consumer.settings.model import Projection
from consumer.settings.stores import OpenSearchIndex, Store

ONE, TWO = ("id",), ("id", "at")


def documents(key: dict[str, str], source_keys: tuple[str, ...], for_each: str | None = None) -> Documents:
    store = Store(opensearch=OpenSearchIndex(url="http://there", index="view"))
    fields = None if for_each is None else {"f": "item"}
    settings = Projection(store=store, key=key, fields=fields, for_each=for_each)
    return Documents(ProjectionMapping(settings, form="plain"), source_keys, lambda: 1)


OWN = documents({"order": "keys.id"}, ONE)
PAIR = documents({"order": "keys.id", "at": "keys.at"}, TWO)
LINES = documents({"order": "keys.id", "line": "item.sku"}, ONE, "new.lines")
MOVING = documents({"code": "new.code"}, ONE)


@pytest.mark.parametrize(
    ("of", "key", "expected"),
    [
        pytest.param(OWN, {"order": {"S": "A-1"}}, "A-1", id="a text is itself"),
        pytest.param(OWN, {"order": {"S": "a|b\\c"}}, "a|b\\c", id="whatever is in it"),
        pytest.param(OWN, {"order": {"N": "100"}}, "100", id="a number without an exponent"),
        pytest.param(OWN, {"order": {"N": "1.50"}}, "1.5", id="equal numbers alike"),
        pytest.param(OWN, {"order": {"B": "AAE="}}, "AAE=", id="binary in base64"),
        pytest.param(PAIR, {"order": {"S": "A-1"}, "at": {"N": "7"}}, "A-1|7", id="two, joined"),
        pytest.param(PAIR, {"order": {"S": "a|b\\"}, "at": {"N": "7"}}, "a\\|b\\\\|7", id="kept apart"),
        pytest.param(LINES, {"order": {"S": "A-1"}, "line": {"S": "s"}}, "A-1|s", id="of a line"),
        pytest.param(LINES, {"order": {"S": "A-1"}, "line": {"N": "7"}}, "A-1|#7", id="of a numbered line"),
        pytest.param(LINES, {"order": {"S": "A-1"}, "line": {"S": "#7"}}, "A-1|\\#7", id="not of a number"),
        pytest.param(LINES, {"order": {"S": "A-1"}, "line": {"B": "AA=="}}, "A-1|=AA==", id="of a binary"),
        pytest.param(MOVING, {"code": {"S": "k"}}, "k|me", id="with its owner, where another may have it"),
    ],
)
def test_an_id_is_readable(of: Documents, key: Image, expected: str) -> None:
    assert of.id_of(key, "me") == expected


def test_an_id_that_is_too_long_or_could_be_a_digest_is_one() -> None:
    texts = ["x" * 512, "é" * 256, "x" * 513, "é" * 257, "\\~abc", "\\^abc"]
    ids = [OWN.id_of({"order": {"S": text}}, "me") for text in texts]
    assert ids[:2] == texts[:2]
    assert all(name.startswith("\\~") and len(name) == 50 for name in ids[2:])
    assert len(set(ids)) == len(texts)


TEXTS = st.text(st.sampled_from("ab|\\#=~^0"), min_size=1, max_size=4)
VALUES: st.SearchStrategy[AttributeValue] = st.one_of(
    st.builds(lambda text: {"S": text}, TEXTS),
    st.builds(lambda number: {"N": str(number)}, st.integers(-20, 20)),
    st.builds(lambda text: {"B": text}, st.sampled_from(["AA==", "AAE=", "ab"])),
)


@given(st.tuples(TEXTS, VALUES), st.tuples(TEXTS, VALUES))
def test_two_keys_never_share_an_id(
    one: tuple[str, AttributeValue], other: tuple[str, AttributeValue]
) -> None:
    def of_line(key: tuple[str, AttributeValue]) -> str:
        return LINES.id_of({"order": {"S": key[0]}, "line": key[1]}, key[0])

    def of_moving(key: tuple[str, AttributeValue]) -> str:
        return MOVING.id_of({"code": key[1]}, key[0])

    for id_of in (of_line, of_moving):
        assert (id_of(one) == id_of(other)) is (one == other)


TICKS = [Version(tick, clock) for clock in Granularity for tick in range(0, 3_000_000, 999_997)]
VERSIONS = [version._replace(micros=version.floor(version.granularity)) for version in TICKS]


def test_opensearch_lets_pass_what_the_gate_calls_newer_and_of_a_clock_as_fine_nothing_else() -> None:
    for held, came, rounds in itertools.product(VERSIONS, VERSIONS, (0, 1, 1023)):
        row, change = Stamp(held, "a", rounds), Stamp(came, "b")
        passes = version_of(row) < version_of(change)
        is_newer = judge(row, change) is Verdict.NEWER
        assert passes if is_newer else not passes or came.granularity > held.granularity, (row, change)


def test_a_version_is_below_two_to_the_62_for_a_long_time() -> None:
    end_of_2111 = Version(4_481_000_000_000_000, Granularity.SECOND)
    assert version_of(Stamp(end_of_2111, "a", 1023)) < 1 << 62


@pytest.mark.parametrize(
    "mark", [None, {}, {"v": "1", "p": "us", "d": "a"}, {"v": 1, "p": "fortnight", "d": "a"}]
)
def test_a_mark_that_is_not_ours_is_told_apart(mark: object) -> None:
    with pytest.raises(ValueError, match="not a mark of ours"):
        stamp_of(mark)
