"""What holds of every expression and of every value, whatever they are."""

import json
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.attributes import Plain
from consumer.errors import Rejected, SettingsError
from consumer.expressions import Expression

NUMBERS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, Context(prec=50)),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-130, 87),
)
WIDE = Context(prec=2000)
TOKENS = st.sampled_from(
    [
        *(
            "new",
            "a",
            ".",
            "[",
            "]",
            "[?",
            "[]",
            "[::0]",
            "(",
            ")",
            "{",
            "}",
            ":",
            ",",
            "*",
            "@",
            "&",
            "|",
            "||",
        ),
        *("==", "<", "!", "-1", "3", "`1.5`", "`NaN`", "`word`", "`", "'", '"', "\\", " ", "'x'", '"q"'),
        *("length(", "sort_by(", "add(", "concat(", "iso_date("),
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.text(max_size=3), below, max_size=3)
    ),
    max_leaves=6,
)
UNITS = [(1, 1), (1_000, 1), (1_000_000, 1), (1_000_000, 1_000)]
"""Of seconds to nanoseconds: units to a second as a product, since a datetime tells microseconds at most."""


@given(st.lists(TOKENS, max_size=10).map("".join), JSON)
def test_a_text_is_an_expression_or_is_refused_and_a_record_fits_it_or_is(text: str, value: object) -> None:
    try:
        expression = Expression(text)
    except SettingsError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most texts are refused, and none need be
        return
    try:
        expression.search({"new": value, "a": value})  # type: ignore[dict-item]  # JSON, but not typed so
    except Rejected as error:
        assert error.code == "ExpressionFailed"  # noqa: PT017 - the same


@given(st.lists(NUMBERS, min_size=2, max_size=3))
def test_a_sum_a_difference_and_a_product_are_exact(numbers: list[Decimal]) -> None:
    scope = dict[str, Plain](zip("abc", numbers, strict=False))
    names = ", ".join(scope)

    assert Expression(f"add({names})").search(scope) == reduce(WIDE.add, numbers)
    assert Expression("subtract(a, b)").search(scope) == WIDE.subtract(numbers[0], numbers[1])
    assert Expression(f"multiply({names})").search(scope) == reduce(WIDE.multiply, numbers)


@given(NUMBERS)
def test_a_literal_number_equals_the_attribute_that_is_written_alike(number: Decimal) -> None:
    assert Expression(f"`{number}` == new && new == `[{number}]`[0]").search({"new": number}) is True


@given(JSON)
def test_a_json_literal_is_its_value(value: object) -> None:
    text = json.dumps(value).replace("`", "\\`")

    assert Expression(f"[`{text}`, `7`]").search({"new": None}) == [value, 7]


@pytest.mark.parametrize(("to_a_second", "finer"), UNITS)
@given(st.datetimes(min_value=datetime(1973, 3, 4), max_value=datetime(5138, 1, 1)))  # noqa: DTZ001 - naive as hypothesis wants it
def test_an_epoch_number_of_any_unit_gives_the_date_of_its_instant(
    to_a_second: int, finer: int, naive: datetime
) -> None:
    moment = naive.replace(tzinfo=UTC)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
    at = Decimal(micros * to_a_second // 1_000_000 * finer)

    assert Expression("iso_date(at)").search({"at": at}) == moment.date().isoformat()
    assert Expression("iso_hour(at)").search({"at": at}) == moment.isoformat()[:13]


@given(st.datetimes(max_value=datetime(5138, 1, 1)), st.booleans())  # noqa: DTZ001 - the same
def test_seconds_of_any_year_give_their_date(naive: datetime, has_fraction: bool) -> None:  # noqa: FBT001 - drawn
    moment = naive.replace(tzinfo=UTC)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
    at = Decimal(micros).scaleb(-6) if has_fraction else Decimal(micros // 1_000_000)

    assert Expression("iso_date(at)").search({"at": at}) == moment.date().isoformat()


@given(st.datetimes(timezones=st.timezones()))
def test_an_iso_text_gives_its_date_in_utc_whatever_its_offset(moment: datetime) -> None:
    at = moment.isoformat()
    try:
        expected = datetime.fromisoformat(at).astimezone(UTC).date().isoformat()
    except OverflowError:
        with pytest.raises(Rejected, match="is no date"):
            Expression("iso_date(at)").search({"at": at})
    else:
        assert Expression("iso_date(at)").search({"at": at}) == expected
