import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.settings.duration import Between, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("1.5s", 1.5), ("2m", 120), ("24h", 86_400), ("7d", 604_800), (" 1s ", 1)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["5", "", "s", "-1s", "1 s", "5sec", 5, 1.5, None, True, "1e3s"])
def test_what_has_no_unit_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(value)


@pytest.mark.parametrize("text", ["199ms", "61s", "2m"])
def test_a_duration_out_of_bounds_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(ValueError, match="from 200ms to 60s is allowed"):
        Between("200ms", "60s").parse(text)


def test_the_bounds_themselves_are_allowed() -> None:
    assert Between("200ms", "60s").parse("200ms") == 0.2
    assert Between("200ms", "60s").parse("1m") == 60


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds
