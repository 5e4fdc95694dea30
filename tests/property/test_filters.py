"""What holds of every pattern and every event, whatever they are."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from consumer.filters.json_text import parse, write
from consumer.filters.mistakes import InvalidPatternError
from consumer.filters.pattern import Pattern, decode_event

NAMES = st.sampled_from(["a", "b", "c", "a.b", "N", "S"])
TEXTS = st.text(alphabet='aAbé*\\"ß1', max_size=4)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1e300]), TEXTS)
MATCHERS = st.one_of(
    st.builds(lambda text: {"prefix": text}, TEXTS),
    st.builds(lambda text: {"suffix": {"equals-ignore-case": text}}, TEXTS),
    st.builds(lambda text: {"anything-but": {"suffix": [text]}}, TEXTS.filter(bool)),
    st.builds(lambda number: {"anything-but": [number]}, st.integers(-5, 5)),
    st.builds(lambda number: {"numeric": [">=", number]}, st.integers(-5, 5)),
    st.builds(lambda truth: {"exists": truth}, st.booleans()),
)
ENTRIES = st.lists(st.one_of(SCALARS, MATCHERS), min_size=1, max_size=3)
PATTERNS = st.recursive(
    st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=2),
    lambda below: st.one_of(
        st.dictionaries(NAMES, below, min_size=1, max_size=2),
        st.builds(lambda branches: {"$or": branches}, st.lists(below, min_size=2, max_size=3)),
    ),
    max_leaves=4,
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(NAMES, below, max_size=3)),
    max_leaves=8,
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=4)
JSON = st.recursive(
    st.one_of(SCALARS, st.text(max_size=3)),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.text(max_size=8), below, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_value_is_a_pattern_or_is_refused_with_a_path_into_it(value: object) -> None:
    try:
        Pattern(json.dumps(value))
    except InvalidPatternError as error:
        for mistake in error.mistakes:
            below = value
            for part in mistake.path:
                below = below[part]  # type: ignore[index]  # raises where the path leads nowhere


@given(ENTRIES, VALUES)
def test_a_list_of_entries_accepts_what_any_of_them_accepts(entries: list[object], value: object) -> None:
    each = [Pattern({"a": [entry]}).matches({"a": value}) for entry in entries]  # type: ignore[list-item]  # JSON, but not typed so

    assert Pattern(json.dumps({"a": entries})).matches({"a": value}) is any(each)


@given(EVENTS, st.lists(NAMES, min_size=1, max_size=3))
def test_a_field_is_there_or_it_is_not(event: dict[str, object], names: list[str]) -> None:
    there, not_there = ('[{"exists":true}]', '[{"exists":false}]')
    for name in reversed(names):
        there, not_there = f'{{"{name}":{there}}}', f'{{"{name}":{not_there}}}'

    assert Pattern(there).matches(event) is not Pattern(not_there).matches(event)


@given(PATTERNS, PATTERNS, EVENTS)
def test_or_matches_what_a_branch_matches(
    one: dict[str, object], other: dict[str, object], event: dict[str, object]
) -> None:
    each = [Pattern(json.dumps(pattern)).matches(event) for pattern in (one, other)]

    assert Pattern(json.dumps({"$or": [one, other]})).matches(event) is any(each)


@given(PATTERNS, EVENTS)
def test_a_pattern_that_is_written_and_read_decides_the_same(
    pattern: dict[str, object], event: dict[str, object]
) -> None:
    text = json.dumps(pattern)
    again = write(parse(text))

    assert write(parse(again)) == again
    assert Pattern(again).matches(event) is Pattern(text).matches(event)
    assert Pattern(text).matches(decode_event(json.dumps(event).encode())) is Pattern(text).matches(event)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53))
def test_a_number_in_text_is_compared_as_decimals_are(number: Decimal, bound: int) -> None:
    for sign, expected in ((">=", number >= bound), ("<", number < bound), ("=", number == bound)):
        pattern = Pattern(f'{{"N":[{{"numeric":["{sign}",{bound}]}}]}}')
        assert pattern.matches({"N": str(number)}) is expected
