import itertools
from decimal import Decimal

import orjson
import pytest

from consumer.attributes import (
    NO_IMAGE_DIGEST,
    canonical_number,
    decode_image,
    digest,
    from_plain,
    image_to_plain,
    to_plain,
)
from consumer.errors import Rejected
from consumer.record import AttributeValue, Image

DIGITS_38 = "12345678901234567890123456789012345678"

TEN_TYPES: Image = {
    "s": {"S": ""},
    "n": {"N": f"-0.{DIGITS_38}"},
    "b": {"B": "AP8="},
    "bool": {"BOOL": False},
    "null": {"NULL": True},
    "ss": {"SS": ["b", "a"]},
    "ns": {"NS": ["10", "9", "1E+2"]},
    "bs": {"BS": ["/w==", "AA=="]},
    "l": {"L": [{"N": "1"}, {"NULL": True}, {"L": []}]},
    "m": {"M": {"inner": {"M": {"n": {"N": DIGITS_38}, "null": {"NULL": True}}}}},
}


def test_every_attribute_type_is_seen_as_its_python_value() -> None:
    assert image_to_plain(TEN_TYPES) == {
        "s": "",
        "n": Decimal(f"-0.{DIGITS_38}"),
        "b": b"\x00\xff",
        "bool": False,
        "null": None,
        "ss": ["a", "b"],
        "ns": [Decimal(9), Decimal(10), Decimal(100)],
        "bs": [b"\xff", b"\x00"],
        "l": [Decimal(1), None, []],
        "m": {"inner": {"n": Decimal(DIGITS_38), "null": None}},
    }


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""},
        {"S": "käse"},
        {"N": DIGITS_38},
        {"N": "1E+125"},
        {"N": "-1E-130"},
        {"B": "AP8="},
        {"BOOL": True},
        {"BOOL": False},
        {"NULL": True},
        {"L": [{"N": "0.10"}, {"L": []}, {"NULL": True}]},
        {"M": {"a": {"M": {}}, "b": {"S": "x"}}},
    ],
)
def test_a_value_that_is_no_set_comes_back_as_it_went_in(value: AttributeValue) -> None:
    assert from_plain(to_plain(value)) == value


def test_a_whole_number_of_an_expression_is_kept_as_a_number_and_not_as_a_truth_value() -> None:
    assert [from_plain(value) for value in (1, True)] == [{"N": "1"}, {"BOOL": True}]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(Decimal("1" + "0" * 37 + "1"), "NumberOutOfRange", id="39 digits"),
        pytest.param(Decimal("1." + "1" * 100), "NumberOutOfRange", id="101 digits"),
        pytest.param(Decimal("NaN"), "NumberOutOfRange", id="not a number"),
        pytest.param(Decimal("-Infinity"), "NumberOutOfRange", id="no end"),
        pytest.param(10**40 + 1, "NumberOutOfRange", id="a long whole number"),
        pytest.param(1.5, "BadValue", id="a float"),
        pytest.param([{"a": 1.5}], "BadValue", id="a float inside"),
        pytest.param({1, 2}, "BadValue", id="a set"),
    ],
)
def test_a_value_dynamodb_cannot_hold_is_rejected(value: object, code: str) -> None:
    with pytest.raises(Rejected) as rejected:
        from_plain(value)  # type: ignore[arg-type]  # the case is a value of a wrong type
    assert rejected.value.code == code


def test_zeros_at_the_end_are_no_digits() -> None:
    assert from_plain(Decimal(f"{DIGITS_38}000")) == {"N": f"{DIGITS_38}000"}


@pytest.mark.parametrize(
    "spellings",
    [
        ["0", "-0", "0.00", "0E+5", "-0.0E-9"],
        ["100", "1E+2", "1e2", "100.00", "+100", "0100"],
        ["-12.5", "-1.25E1", "-12.500"],
        [DIGITS_38, f"{DIGITS_38}.0", f"{DIGITS_38[:1]}.{DIGITS_38[1:]}E+37"],
        ["1E+125", "1" + "0" * 125],
        ["1E-130", "0." + "0" * 129 + "1"],
    ],
)
def test_the_spelling_of_a_number_makes_no_difference_to_the_digest(spellings: list[str]) -> None:
    scalars = {digest({"a": {"N": text}}) for text in spellings}
    in_sets = {digest({"a": {"NS": [text, "7"]}}) for text in spellings}
    inside = {digest({"a": {"L": [{"M": {"n": {"N": text}}}]}}) for text in spellings}
    assert [len(scalars), len(in_sets), len(inside)] == [1, 1, 1]


def test_numbers_that_differ_in_the_38th_digit_have_different_digests() -> None:
    other = DIGITS_38[:-1] + "9"
    assert digest({"a": {"N": DIGITS_38}}) != digest({"a": {"N": other}})


@pytest.mark.parametrize("kind", ["SS", "NS", "BS"])
def test_the_order_within_a_set_makes_no_difference_to_the_digest(kind: str) -> None:
    members = {"SS": ["x", "y", "z"], "NS": ["1", "20", "3"], "BS": ["AA==", "AQ==", "Ag=="]}[kind]
    digests = {digest({"a": {kind: list(order)}}) for order in itertools.permutations(members)}
    assert len(digests) == 1


def test_the_order_of_attributes_makes_no_difference_to_the_digest_at_any_depth() -> None:
    one: Image = {"a": {"S": "1"}, "b": {"M": {"x": {"S": "1"}, "y": {"S": "2"}}}}
    other: Image = {"b": {"M": {"y": {"S": "2"}, "x": {"S": "1"}}}, "a": {"S": "1"}}
    assert digest(one) == digest(other)


def test_the_order_of_a_list_makes_a_difference_to_the_digest() -> None:
    assert digest({"a": {"L": [{"S": "1"}, {"S": "2"}]}}) != digest({"a": {"L": [{"S": "2"}, {"S": "1"}]}})


LOOKALIKES: list[Image | None] = [
    None,
    {},
    {"a": {"S": ""}},
    {"a": {"NULL": True}},
    {"a": {"S": "1"}},
    {"a": {"N": "1"}},
    {"a": {"B": "MQ=="}},
    {"a": {"BOOL": True}},
    {"a": {"BOOL": False}},
    {"a": {"SS": ["1"]}},
    {"a": {"NS": ["1"]}},
    {"a": {"BS": ["MQ=="]}},
    {"a": {"L": [{"S": "1"}]}},
    {"a": {"M": {"1": {"S": "1"}}}},
    {"a": {"L": []}},
    {"a": {"M": {}}},
    {"b": {"S": "1"}},
]


def test_items_that_only_look_alike_have_different_digests() -> None:
    assert len({digest(image) for image in LOOKALIKES}) == len(LOOKALIKES)


def test_an_item_that_is_not_there_has_a_digest_of_its_own() -> None:
    assert digest(None) == NO_IMAGE_DIGEST


def test_our_own_mark_takes_no_part_in_the_digest_but_a_nested_namesake_does() -> None:
    item: Image = {"a": {"S": "1"}}
    assert digest({**item, "_tidemark": {"M": {}}}) == digest(item)
    assert digest({"a": {"M": {"_tidemark": {"S": "1"}}}}) != digest({"a": {"M": {}}})


def test_an_image_is_decoded_with_its_numbers_still_text() -> None:
    assert decode_image(orjson.dumps(TEN_TYPES)) == TEN_TYPES


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not JSON",
        b"[]",
        b'"text"',
        b"12345",
        b'{"a": "untyped"}',
        b'{"a": {}}',
        b'{"a": {"S": "x", "N": "1"}}',
        b'{"a": {"S": "\\ud800"}}',
        b'{"a": {"L": ' + b"[" * 3000 + b"]" * 3000 + b"}}",
    ],
)
def test_what_is_no_map_of_attribute_values_is_rejected(raw: bytes) -> None:
    with pytest.raises(Rejected) as rejected:
        decode_image(raw)
    assert rejected.value.code == "BadImage"


MALFORMED: list[AttributeValue] = [
    {"N": "twelve"},
    {"N": None},
    {"NS": ["1", "x"]},
    {"NS": 5},
    {"SS": [{"S": "x"}, "y"]},
    {"L": [{}]},
    {"L": ["x"]},
    {"L": 5},
    {"M": {"a": {}}},
    {"M": ["a"]},
    {"M": {"a": {"S": "x", "N": "1"}}},
]


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_value_is_rejected_and_never_given_a_digest(value: AttributeValue) -> None:
    with pytest.raises(Rejected) as rejected:
        digest({"a": value})
    assert rejected.value.code == "BadImage"


@pytest.mark.parametrize("value", [*MALFORMED, {"X": "1"}, {"B": "not base64"}, {"B": 5}, {"BS": ["A"]}])
def test_a_malformed_value_is_rejected_and_never_shown_to_an_expression(value: AttributeValue) -> None:
    with pytest.raises(Rejected) as rejected:
        image_to_plain({"a": value})
    assert rejected.value.code == "BadImage"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0",
            "7",
            "10",
            "100",
            "120",
            "-3",
            "1.5",
            "0.5",
            "1.50",
            "10.05",
            "100.001",
            "0.000001",
            "0.00000001",
        ),
        *(DIGITS_38, f"{DIGITS_38}0", f"1{DIGITS_38[:18]}.{DIGITS_38[:17]}1", f"{DIGITS_38}.5", "007", "1e3"),
    ],
)
def test_a_number_has_one_canonical_text_however_it_is_spelled(text: str) -> None:
    number = Decimal(text)
    spelled_otherwise = f"{number:E}"  # 1.5E+0, which no short cut takes for canonical
    assert canonical_number(text) == canonical_number(spelled_otherwise)
    assert Decimal(canonical_number(text)) == number
