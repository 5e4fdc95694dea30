from decimal import Decimal

import pytest

from consumer.processors.aggregate.sums import difference, from_texts, is_in_range, to_texts


def test_the_difference_is_what_is_new_less_what_is_held_without_zeros() -> None:
    new = from_texts({"a": {"x": "5", "y": "1"}, "b": {"x": "2"}, "c": {"x": "3"}})
    held = from_texts({"a": {"x": "3", "z": "4"}, "b": {"x": "2.0"}, "d": {"x": "0.1"}})
    assert to_texts(difference(new, held)) == {
        "a": {"x": "2", "y": "1", "z": "-4"},
        "c": {"x": "3"},
        "d": {"x": "-0.1"},
    }


def test_a_difference_of_38_digits_is_exact() -> None:
    nines = from_texts({"a": {"x": "9" * 38}})
    assert to_texts(difference({}, nines)) == {"a": {"x": "-" + "9" * 38}}
    assert difference(nines, nines) == {}


def test_what_a_ledger_holds_is_read_back_as_it_was() -> None:
    sums = from_texts({"a": {"x": "1E+2", "y": "9" * 38}})
    assert to_texts(from_texts(to_texts(sums))) == {"a": {"x": "1E+2", "y": "9" * 38}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0E+500", True),
        ("1" * 38, True),
        ("1" * 39, False),
        ("1" * 38 + "0", True),
        ("9.9E125", True),
        ("1E126", False),
        ("1E-130", True),
        ("1E-131", False),
    ],
)
def test_the_range_of_a_sum_is_dynamodbs(text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_in_range(Decimal(text)) is expected
    assert is_in_range(Decimal(f"-{text}")) is expected
