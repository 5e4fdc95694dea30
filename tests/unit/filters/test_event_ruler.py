"""Held to what AWS's Event Ruler said of each pattern and event in tests/events/patterns."""

from pathlib import Path

import msgspec
import pytest

from consumer.filters.mistakes import InvalidPatternError
from consumer.filters.pattern import Pattern, decode_event

PATTERNS = Path(__file__).parents[2] / "events" / "patterns"


class Case(msgspec.Struct, frozen=True):
    pattern: str
    valid: bool
    matching: list[str] = []
    other: list[str] = []


CASES = {
    f"{file.stem} {case.pattern}": case
    for file in sorted(PATTERNS.glob("*.json"))
    for case in msgspec.json.decode(file.read_bytes(), type=list[Case])
}
VALID = [pytest.param(case, id=name) for name, case in CASES.items() if case.valid]
REFUSED = [pytest.param(case, id=name) for name, case in CASES.items() if not case.valid]


def test_there_are_cases_of_every_kind() -> None:
    assert len(VALID) > 250
    assert len(REFUSED) > 90
    assert all(any(getattr(case, name) for case in CASES.values()) for name in ("matching", "other"))


@pytest.mark.parametrize("case", VALID)
def test_an_event_matches_as_event_ruler_decides(case: Case) -> None:
    pattern = Pattern(case.pattern)

    events = case.matching + case.other
    matching = [event for event in events if pattern.matches(decode_event(event.encode()))]

    assert matching == case.matching


@pytest.mark.parametrize("case", REFUSED)
def test_a_pattern_that_event_ruler_refuses_is_refused(case: Case) -> None:
    with pytest.raises(InvalidPatternError):
        Pattern(case.pattern)
