"""What lies in one list must come from one of its entries."""

import pytest

from consumer.filters.pattern import Pattern

SKU_AND_QUANTITY = '{"L":{"M":{"sku":{"S":["a"]},"qty":{"N":["1"]}}}}'


def item(sku: str, quantity: str) -> dict[str, object]:
    return {"M": {"sku": {"S": sku}, "qty": {"N": quantity}}}


@pytest.mark.parametrize(
    ("items", "is_match"),
    [
        ([item("a", "1")], True),
        ([item("b", "2"), item("a", "1")], True),
        ([item("a", "2"), item("b", "1")], False),
        ([5, "x", item("a", "1"), None], True),
        ([[item("a", "1")]], True),
        ([[item("a", "2")], [item("b", "1")]], False),
        ([], False),
    ],
)
def test_two_fields_match_in_one_entry_only(items: list[object], is_match: bool) -> None:  # noqa: FBT001 - a table
    assert Pattern(SKU_AND_QUANTITY).matches({"L": items}) is is_match


def test_lists_inside_lists_are_one_rule_inside_the_other() -> None:
    pattern = Pattern('{"a":{"b":{"x":["1"],"y":["2"]},"c":["3"]}}')

    assert pattern.matches({"a": [{"b": [{"x": "0"}, {"x": "1", "y": "2"}], "c": "3"}]})
    assert not pattern.matches({"a": [{"b": [{"x": "1"}, {"y": "2"}], "c": "3"}]})
    assert not pattern.matches({"a": [{"b": [{"x": "1", "y": "2"}]}, {"c": "3"}]})


def test_different_lists_do_not_bind_each_other() -> None:
    pattern = Pattern('{"a":{"x":["1"]},"b":{"y":["2"]}}')

    assert pattern.matches({"a": [{"x": "0"}, {"x": "1"}], "b": [{"y": "2"}, {"y": "0"}]})


def test_lists_of_scalars_are_free() -> None:
    pattern = Pattern('{"a":{"x":["1"],"y":["2"]}}')

    assert pattern.matches({"a": [{"x": ["1", "3"], "y": ["4", "2"]}]})
    assert Pattern('{"tags":{"SS":["x"]}}').matches({"tags": {"SS": ["w", "x"]}})


def test_absence_is_of_the_entry_that_earlier_names_chose() -> None:
    chosen_before = Pattern('{"a":{"b":["x"],"c":[{"exists":false}]}}')
    asked_first = Pattern('{"a":{"b":[{"exists":false}],"c":["x"]}}')

    assert chosen_before.matches({"a": [{"b": "x"}, {"b": "y", "c": 1}]})
    assert not chosen_before.matches({"a": [{"b": "x", "c": 1}, {"b": "y"}]})
    assert not asked_first.matches({"a": [{"b": 1, "c": "y"}, {"c": "x"}]})


def test_absence_goes_by_the_names_in_the_order_of_java() -> None:
    pattern = Pattern('{"a":{"\\ue000":[{"exists":false}],"\U0001f600":["x"]}}')

    assert pattern.matches({"a": [{"\U0001f600": "x"}, {"\ue000": "y"}]})


def test_an_item_of_many_thousand_entries_is_decided_without_trying_every_pair() -> None:
    entries = [{"a": str(number), "b": str(number), "c": str(number)} for number in range(20_000)]
    wanted = ",".join(f'"{number}"' for number in range(20_000))
    nowhere = Pattern(f'{{"L":{{"a":[{wanted}],"b":[{{"anything-but":"x"}}],"c":["none"]}}}}')
    bare = Pattern(f'{{"L":{{"a":[{wanted}],"d":[{{"exists":false}}],"z":["none"]}},"M":{{"z":["1"]}}}}')

    apart = Pattern('{"L":{"a":[{"anything-but":"x"}]},"M":{"a":[{"exists":true}]},"N":{"z":["none"]}}')

    assert not nowhere.matches({"L": [*entries, {"c": "none"}]})
    assert not apart.matches({"L": entries, "M": entries, "N": {"z": "one"}})
    assert apart.matches({"L": entries, "M": entries, "N": {"z": "none"}})
    assert not bare.matches({"L": [*entries, {"z": "none"}], "M": entries})
