"""Which transactions an aggregate's differences go in."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.processors.aggregate.plan import Bundle, Step, bundles, steps_of
from consumer.processors.aggregate.sums import Sums, difference, from_texts, is_in_range, to_texts
from consumer.processors.gate import Stamp
from consumer.processors.ledger.entry import NOTHING, Entry
from consumer.processors.ledger.transactions import MOST_ACTIONS, MOST_BYTES
from consumer.record import Version

OLD, NEW = Stamp(Version(5), "old", 3), Stamp(Version(9), "new", 4)


def put(entry: Entry, over: Entry) -> bytes:
    """What a put writes, and over what, for the test to read."""
    return json.dumps([entry.stamp[1:], entry.holds, over.stamp[1:]]).encode()


def steps(held: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Mapping[str, str]]) -> list[Step]:
    return steps_of(0, Entry(OLD, held), from_texts(held), NEW, from_texts(wanted), put)


def many(count: int, text: str = "1") -> dict[str, dict[str, str]]:
    return {f"g{number:03}": {"n": text} for number in range(count)}


def of_item(place: int, text: str = "1", group: str = "g", name: str = "n") -> Step:
    return Step(place, NOTHING, b"{}", from_texts({group: {name: text}}))


def test_an_item_of_few_groups_takes_one_step_that_adds_the_difference() -> None:
    (step,) = steps({"a": {"n": "1"}, "b": {"n": "2"}}, {"b": {"n": "5"}, "c": {"n": "1"}})
    assert to_texts(step.adds) == {"a": {"n": "-1"}, "b": {"n": "3"}, "c": {"n": "1"}}
    assert json.loads(step.put) == [["new", 4], {"b": {"n": "5"}, "c": {"n": "1"}}, ["old", 3]]


def test_an_item_that_counts_as_before_takes_one_step_that_adds_nothing() -> None:
    (step,) = steps({"a": {"n": "1"}}, {"a": {"n": "1.0"}})
    assert step.adds == {}
    assert json.loads(step.put)[0] == ["new", 4]


def test_an_item_of_99_groups_goes_in_one_transaction_and_one_of_100_in_two() -> None:
    assert len(steps({}, many(MOST_ACTIONS - 1))) == 1
    assert [len(step.adds) for step in steps({}, many(MOST_ACTIONS))] == [MOST_ACTIONS - 1, 1]


def test_until_the_last_step_the_entry_keeps_its_old_version_and_says_what_is_counted() -> None:
    wanted = {**many(120, "2"), **{f"h{number:03}": {"n": "1"} for number in range(90)}}
    way = steps(many(3), wanted)
    written = [json.loads(step.put) for step in way]
    assert [stamp for stamp, _, _ in written] == [["old", 4], ["old", 5], ["new", 6]]
    assert [over for _, _, over in written] == [["old", 3], ["old", 4], ["old", 5]]
    assert [len(holds) for _, holds, _ in written] == [99, 198, 210]
    assert [len(step.adds) for step in way] == [99, 99, 12]
    assert written[-1][1] == wanted


def test_what_is_counted_goes_first_where_the_difference_has_more_digits_than_a_store_adds() -> None:
    first, last = steps({"a": {"n": "1E-10", "m": "1"}}, {"a": {"n": "1E+30", "m": "3"}})
    assert to_texts(first.adds) == {"a": {"n": "-1E-10", "m": "-1"}}
    assert json.loads(first.put) == [["old", 4], {}, ["old", 3]]
    assert to_texts(last.adds) == {"a": {"n": "1E+30", "m": "3"}}
    assert json.loads(last.put)[0] == ["new", 5]


NUMBERS = st.sampled_from(["1", "-1", "2.5", "1E-30", "9E+125", "9" * 38, "1E+10"])
COUNTS = st.dictionaries(
    st.sampled_from(["a", "b", "c", *(f"g{number}" for number in range(130))]),
    st.dictionaries(st.sampled_from(["n", "m"]), NUMBERS, min_size=1),
    max_size=250,
)


@given(COUNTS, COUNTS)
def test_the_steps_lead_from_what_is_held_to_what_is_wanted_by_what_any_store_can_add(
    held: dict[str, dict[str, str]], wanted: dict[str, dict[str, str]]
) -> None:
    now: Sums = from_texts(held)
    for step in steps(held, wanted):
        assert len(step.adds) < MOST_ACTIONS
        assert all(is_in_range(number) for named in step.adds.values() for number in named.values())
        now = difference(now, {group: _negated(named) for group, named in step.adds.items()})
        assert to_texts(now) == json.loads(step.put)[1]
    assert to_texts(now) == to_texts(from_texts(wanted))


def _negated(named: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: number.copy_negate() for name, number in named.items()}


def places(found: Sequence[Bundle]) -> list[list[int]]:
    return [[step.place for step in bundle.steps] for bundle in found]


def test_a_hot_group_costs_a_transaction_one_action() -> None:
    found = bundles([of_item(place) for place in range(150)])
    assert [len(bundle.steps) for bundle in found] == [MOST_ACTIONS - 1, 51]
    assert [to_texts(bundle.adds) for bundle in found] == [{"g": {"n": "99"}}, {"g": {"n": "51"}}]


def test_items_of_one_group_go_together_whatever_came_between_them() -> None:
    found = bundles([of_item(place, group=f"g{place % 60:02}") for place in range(120)])
    assert all(len(bundle.steps) + len(bundle.adds) <= MOST_ACTIONS for bundle in found)
    assert len(found) == 2
    assert not set(found[0].adds) & set(found[1].adds)


def test_differences_that_cancel_each_other_ask_for_no_update() -> None:
    (bundle,) = bundles([of_item(0, "5"), of_item(1, "-5"), of_item(2, "1", group="h")])
    assert to_texts(bundle.adds) == {"h": {"n": "1"}}


def test_items_without_a_difference_are_written_too() -> None:
    (bundle,) = bundles([Step(0, NOTHING, b"{}", {}), of_item(1)])
    assert places([bundle]) == [[0, 1]]


def test_differences_whose_sum_no_store_can_add_go_in_transactions_of_their_own() -> None:
    found = bundles([of_item(0, "1E+30"), of_item(1, "1E-30"), of_item(2, "2E+30")])
    assert places(found) == [[0], [1], [2]]


def test_entries_of_many_bytes_are_spread_over_transactions() -> None:
    large = [Step(place, NOTHING, b"x" * (MOST_BYTES // 3), {}) for place in range(4)]
    assert places(bundles(large)) == [[0, 1, 2], [3]]


def test_nothing_to_write_is_no_transaction() -> None:
    assert bundles([]) == []


@pytest.mark.parametrize("sizes", [[99, 1], [50, 60], [1, 98, 1], [40, 40, 40]])
def test_no_transaction_has_more_actions_than_dynamodb_takes(sizes: Sequence[int]) -> None:
    wanted = [
        Step(place, NOTHING, b"{}", from_texts({f"{place}-{number}": {"n": "1"} for number in range(size)}))
        for place, size in enumerate(sizes)
    ]
    found = bundles(wanted)
    assert sorted(place for bundle in places(found) for place in bundle) == list(range(len(sizes)))
    assert all(len(bundle.steps) + len(bundle.adds) <= MOST_ACTIONS for bundle in found)
