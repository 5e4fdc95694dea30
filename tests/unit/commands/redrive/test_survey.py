"""`--dry-run` looks at every letter and touches none."""

import pytest

from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.order import Order
from consumer.commands.redrive.reading import Reader
from consumer.commands.redrive.survey import Findings, Survey
from tests.support.changes import TABLE
from tests.unit.commands.redrive.bench import (
    APPLICATION,
    DAY,
    NOW,
    Bench,
    Letters,
    NoClaimChecks,
    letter,
    written,
)

BY_SOURCE = "1 past the horizon: settled by reading the source"


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def survey(bench: Bench, letters: Letters, order: Order) -> Findings:
    looked = Survey(
        letters,
        Reader({APPLICATION}, NoClaimChecks()),
        {"view": Target("view", bench.state(), keeps_state=True)},
        order,
        bench.patience(),
        lambda: NOW,
        lambda _tally: None,
    )
    return await looked.run()


async def test_letters_are_counted_by_processor_and_code_and_given_back(bench: Bench) -> None:
    texts = [letter(written("a")), letter(written("b", age=2 * DAY)), letter(written("c"), processor=None)]
    letters = bench.letters(texts)

    findings = await survey(bench, letters, Order(TABLE))

    assert list(findings.summary()) == [
        "3 letters; nothing was changed",
        "  -  BadValue  1: 1 can be read, the oldest of 2023-11-14 22:12:20 UTC",
        f"  view  BadValue  2: 2 can be read, {BY_SOURCE}, the oldest of 2023-11-12 22:13:20 UTC",
    ]
    assert (bench.log, letters.is_closed) == ([], True)


async def test_what_would_stay_is_told_with_its_reason(bench: Bench) -> None:
    findings = await survey(
        bench, bench.letters([b"{}", letter(written("a"), processor="gone")]), Order(TABLE)
    )

    assert list(findings.summary())[:3] == [
        "2 letters; nothing was changed",
        "  gone  BadValue  1: 1 can be read, the oldest of 2023-11-14 22:12:20 UTC",
        "2 would stay as they are:",
    ]
    assert set(findings.tally.reasons) == {("-", "NotALetter"), ("gone", "NoSuchProcessor")}


async def test_it_looks_at_no_more_letters_than_the_limit_and_only_at_the_named_processors(
    bench: Bench,
) -> None:
    texts = [letter(written("a"), processor="other"), letter(written("b")), letter(written("c"))]

    findings = await survey(bench, bench.letters(texts), Order(TABLE, only="view", limit=2))

    assert (findings.tally.taken, findings.tally.passed_over) == (2, 1)
    assert list(findings.groups) == [("view", "BadValue")]


async def test_an_interrupt_is_told(bench: Bench) -> None:
    bench.stop.set()
    letters = bench.letters([letter(written("a"))])

    findings = await survey(bench, letters, Order(TABLE))

    assert list(findings.summary()) == ["cut short: interrupted", "0 letters; nothing was changed"]
    assert letters.is_closed


async def test_letters_that_a_redrive_holds_are_told_of(bench: Bench) -> None:
    letters = bench.letters([])
    letters.held_by_others = 1_500

    findings = await survey(bench, letters, Order(TABLE))

    none, hidden = findings.summary()
    assert none == "0 letters; nothing was changed"
    assert hidden.startswith("about 1,500 more were hidden when it began")
