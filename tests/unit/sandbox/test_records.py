import pytest

from sandbox.dynamodb.clock import CreationClock, coarse
from sandbox.dynamodb.records import Item, partition_key, same_item


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": {"SS": ["x", "y"]}}, {"a": {"SS": ["y", "x"]}}),
        ({"a": {"L": [{"NS": ["1", "2"]}]}}, {"a": {"L": [{"NS": ["2", "1"]}]}}),
        ({"a": {"S": "x"}, "b": {"N": "1"}}, {"b": {"N": "1"}, "a": {"S": "x"}}),
    ],
)
def test_the_order_of_sets_and_attributes_is_no_change(old: Item, new: Item) -> None:
    assert same_item(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": {"L": [{"S": "x"}, {"S": "y"}]}}, {"a": {"L": [{"S": "y"}, {"S": "x"}]}}),
        ({"a": {"S": "1"}}, {"a": {"N": "1"}}),
        ({"a": {"S": ""}}, {}),
        # A map with an attribute that is called like a type.
        (
            {"a": {"M": {"SS": {"L": [{"S": "x"}, {"S": "y"}]}}}},
            {"a": {"M": {"SS": {"L": [{"S": "y"}, {"S": "x"}]}}}},
        ),
    ],
)
def test_everything_else_is_a_change(old: Item, new: Item) -> None:
    assert not same_item(old, new)


def test_a_partition_key_depends_on_table_and_key_and_not_on_the_keys_order() -> None:
    key: Item = {"id": {"S": "a"}, "at": {"N": "1"}}
    assert partition_key("orders", key) == partition_key("orders", {"at": {"N": "1"}, "id": {"S": "a"}})
    assert partition_key("orders", key) != partition_key("others", key)
    assert partition_key("orders", {"id": {"S": "1"}}) != partition_key("orders", {"id": {"N": "1"}})


def test_a_tables_clock_never_stands_or_goes_back_and_is_its_own() -> None:
    times = iter([10.0, 10.0, 9.0, 11.0, 10.0])
    clock = CreationClock(lambda: next(times))
    assert [clock.next("orders") for _ in range(4)] == [10_000_000, 10_000_001, 10_000_002, 11_000_000]
    assert clock.next("others") == 10_000_000


def test_a_coarse_time_is_rounded_down_to_its_step() -> None:
    assert coarse(1_234_567, 0.001) == 1_234_000
    assert coarse(1_234_567, 0.0) == 1_234_567
