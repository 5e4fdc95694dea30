from decimal import Decimal

import pytest

from consumer.errors import Rejected
from consumer.expressions import Expression

DATE = Expression("iso_date(at)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iso_year(at)", "2026"),
        ("iso_month(at)", "2026-11"),
        ("iso_date(at)", "2026-11-21"),
        ("iso_hour(at)", "2026-11-21T23"),
    ],
)
def test_a_date_is_as_fine_as_the_functions_name(text: str, expected: str) -> None:
    assert Expression(text).search({"at": "2026-11-21T23:59:59.999Z"}) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T23:30:00", "2026-11-21"),
        ("2026-11-21T23:30:00Z", "2026-11-21"),
        ("2026-11-21 23:30:00Z", "2026-11-21"),
        ("2026-11-21T23:30Z", "2026-11-21"),
        ("2026-11-21T23:30:00.123456789Z", "2026-11-21"),
        ("2026-11-21T23:30:00-05:00", "2026-11-22"),
        ("2026-11-21T00:30:00+01:00", "2026-11-20"),
        ("2026-11-21T00:30:00+0100", "2026-11-20"),
        ("2024-02-29T12:00:00Z", "2024-02-29"),
        ("0001-01-01T00:00:00Z", "0001-01-01"),
        ("0999-12-31T23:59:59Z", "0999-12-31"),
        ("9999-12-31T23:59:59Z", "9999-12-31"),
    ],
)
def test_an_iso_text_gives_its_date_in_utc(at: str, expected: str) -> None:
    assert DATE.search({"at": at}) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("0", "1970-01-01"),
        ("-1", "1969-12-31"),
        ("86399.999", "1970-01-01"),
        ("-0.001", "1969-12-31"),
        ("31536000", "1971-01-01"),
        ("-2208988800", "1900-01-01"),
        ("1795303799", "2026-11-21"),
        ("1795303799123", "2026-11-21"),
        ("1795303799123456", "2026-11-21"),
        ("1795303799123456789", "2026-11-21"),
        ("1.795303799E9", "2026-11-21"),
        ("99999999999", "5138-11-16"),
        ("100000000000", "1973-03-03"),
        ("99999999999999", "5138-11-16"),
        ("100000000000000", "1973-03-03"),
        ("99999999999999999", "5138-11-16"),
        ("100000000000000000", "1973-03-03"),
        ("99999999999999999999", "5138-11-16"),
        ("-100000000000", "1966-10-31"),
    ],
)
def test_an_epoch_numbers_unit_is_told_by_its_size(at: str, expected: str) -> None:
    assert DATE.search({"at": Decimal(at)}) == expected


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026-11-31",
        "2026-13-01",
        "2026-11-21T25:00:00Z",
        "2026-11-21T",
        "2026-11-21\n",
        " 2026-11-21",
        "21.11.2026",
        "20261121",
        "2026-W47-6",
        "1612010112345",  # an epoch number as text: Python reads a time of 1612 in it
        "2026-11-21T14:30:00+01:00[Europe/Zurich]",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_a_text_that_is_no_date_is_quoted(at: str) -> None:
    with pytest.raises(Rejected) as rejected:
        DATE.search({"at": at})
    assert f"fails on this record: {at!r} is no date" in str(rejected.value)
    assert rejected.value.code == "ExpressionFailed"


@pytest.mark.parametrize("at", ["100000000000000000000", "-99999999999", "1E+125"])
def test_a_number_that_is_no_date_is_told(at: str) -> None:
    with pytest.raises(Rejected) as rejected:
        DATE.search({"at": Decimal(at)})
    assert f"fails on this record: {Decimal(at)} is no date" in str(rejected.value)
