"""docs/filters.md says what the filters do: every row and example of it is run."""

from io import BytesIO

import pytest

from consumer.commands.filter import filter_events
from consumer.filters.pattern import Filter, Pattern, decode_event
from tests.support.pages import ROOT, blocks, code, rows

PAGE = ROOT / "docs" / "filters.md"
ENTRIES = [
    pytest.param(field, entry, yes, no, id=entry)
    for title, field in (("What a field may be", "a"), ("Numbers", "N"))
    for entry, yes, no in rows(PAGE, title)
]


@pytest.mark.parametrize(("field", "entry", "yes", "no"), ENTRIES)
def test_an_entry_matches_what_the_page_says(field: str, entry: str, yes: str, no: str) -> None:
    pattern = Pattern(f'{{"{field}":{entry.strip("`").join("[]")}}}')
    values = code(yes) + code(no)

    assert [
        value for value in values if pattern.matches(decode_event(f'{{"{field}":{value}}}'.encode()))
    ] == code(yes)


def test_every_pattern_of_the_page_is_one() -> None:
    patterns = [Pattern(block.text) for block in blocks(PAGE, "json")]

    assert len(patterns) == 2


def test_trying_the_first_pattern_prints_what_the_page_says() -> None:
    pattern = Pattern(blocks(PAGE, "json", under="Write one")[0].text)
    (command,), (printed,) = blocks(PAGE, "sh", under="Try it"), blocks(PAGE, "text", under="Try it")
    lines = command.text.encode().splitlines(keepends=True)[1:-1]
    out = BytesIO()

    assert filter_events(Filter([pattern]), lines, out, pytest.fail)
    assert out.getvalue() == printed.text.encode()


def test_what_the_page_says_of_objects_holds() -> None:
    paid = {"NewImage": {"paidAt": {"S": "2026-01-31"}}}
    told = (text for line in PAGE.read_text(encoding="utf-8").splitlines() for text in code(line))
    asked = [text for text in told if text.startswith('{"NewImage"')]

    assert [Pattern(pattern).matches(paid) for pattern in asked] == [True, True]
    assert [Pattern(pattern).matches({"NewImage": {}}) for pattern in asked] == [False, True]
