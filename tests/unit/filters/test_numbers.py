"""`numeric` on a DynamoDB number, the one thing that AWS does not have; and no float on the way."""

import pytest

from consumer.filters.numbers import Number, comparable, decimal_of
from consumer.filters.pattern import Pattern

LEAST_BELOW_100 = "99." + "9" * 36
LONG = "12345678901234567890"
DIGITS_38 = "12345678901234567890123456789012345678"


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (
            '">=", 100',
            ["100", "100.0", "1E2", "1e+2", "250", DIGITS_38],
            [
                LEAST_BELOW_100,
                "-100",
                "abc",
                "NaN",
                "Infinity",
                "1_000",
                "\uff11\uff10\uff10",
                "",
                " 100",
                "+250",
                "0x99",
                "1e",
            ],
        ),
        (
            '"=", 0.1',
            ["0.1", "0.10", "1E-1"],
            ["0." + "1" + "0" * 35 + "1", "0.1000000000000000055511151231257827"],
        ),
        ('">", -5, "<=", 5', ["-4.9", "5", "5.0", "-0"], ["-5", "5." + "0" * 36 + "1"]),
        ('"<", 0', ["-1E-130", "-9E125"], ["0", "1E-130", "9.9e999999999999999999999"]),
    ],
)
def test_a_number_that_dynamodb_writes_as_text_is_compared_exactly(
    condition: str, yes: list[str], no: list[str]
) -> None:
    pattern = Pattern(f'{{"N":[{{"numeric":[{condition}]}}]}}')

    assert [text for text in yes + no if pattern.matches({"N": text})] == yes


def test_of_a_set_of_numbers_any_element_counts() -> None:
    pattern = Pattern('{"scores":{"NS":[{"numeric":[">",0,"<",5]}]}}')

    assert pattern.matches({"scores": {"NS": ["-1", "3"]}})
    assert not pattern.matches({"scores": {"NS": ["-1", "9"]}})


def test_text_of_any_other_type_is_no_number() -> None:
    pattern = '{"numeric":[">=",100]}'

    assert not Pattern(f'{{"S":[{pattern}]}}').matches({"S": "250"})
    assert not Pattern(f'{{"N":{{"S":[{pattern}]}}}}').matches({"N": {"S": "250"}})
    assert Pattern(f'{{"N":[{pattern}]}}').matches({"N": 250})


def test_a_plain_number_below_n_never_matches_and_is_doubted() -> None:
    pattern = Pattern('{"price":{"N":[100, "5", {"numeric":["=", 7]}, ' + LONG + "]}}")

    assert not pattern.matches({"price": {"N": "100"}})
    assert pattern.matches({"price": {"N": "5"}})
    said = "never matches: DynamoDB writes numbers as text"
    assert [str(doubt) for doubt in pattern.doubts] == [
        f'price.N[0]: 100 {said}; write "100", or {{"numeric": ["=", 100]}}',
        f'price.N[3]: {LONG} {said}; write "{LONG}"',
    ]


@pytest.mark.parametrize(
    ("text", "double"),
    [("1.50", 1.5), ("-0", 0.0), ("1e22", 1e22), ("9007199254740992", 2.0**53)]
    + [(text, None) for text in ("9007199254740993", "1e400", "1e-400", "0.12345678901234567890", DIGITS_38)]
    + [("1e99999999999999999999", None)],
)
def test_a_number_is_comparable_where_a_double_says_just_that(text: str, double: float | None) -> None:
    assert comparable(Number(text)) == double


def test_an_exponent_beyond_all_reason_is_no_number() -> None:
    assert decimal_of("1e99999999999999999999") is None
    assert decimal_of("1E125") is not None
