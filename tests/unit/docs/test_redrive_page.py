"""docs/redrive.md is held to the code: what a redrive prints, and why letters stay."""

import re
from datetime import UTC, datetime

from consumer.commands.redrive.survey import Findings, Group
from consumer.commands.redrive.tally import Tally
from tests.support.pages import ROOT, blocks, code, rows

PAGE = ROOT / "docs" / "redrive.md"
SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "consumer" / "commands" / "redrive").glob("*.py")
)
STAYS = re.compile(r"(?:Stays\(found|_stays\(letter|tally\.stay\(None), \"(\w+)\"")
FIRST, SECOND = (
    "message 3138fa13-a34f-40ae-a926-be587498ce63",
    "message 49ae0bf9-a6d6-4c17-bcc5-d0ab002d27db",
)
OLDEST = int(datetime(2026, 11, 20, 9, 14, 2, tzinfo=UTC).timestamp() * 1_000_000)


def example(heading: str) -> list[str]:
    (block,) = blocks(PAGE, "text", under=heading)
    return block.text.splitlines()


def test_every_reason_to_stay_untried_is_told() -> None:
    told = [name for row in rows(PAGE, "What stays, and why") for name in code(row[0])]

    assert sorted(told) == sorted(set(STAYS.findall(SOURCES)))


def test_the_example_of_a_summary_is_what_is_printed() -> None:
    tally = Tally(taken=41)
    tally.settled.update(applied=38, stale=2)
    message = (
        "the expression 'length(new.items)' fails on this record: In function length(), invalid type for"
        " value: None"
    )
    tally.stay("order-view", "ExpressionFailed", f"{FIRST} (orderId A-7)", message)

    assert list(tally.summary()) == example("What it says")


def test_the_example_of_a_dry_run_is_what_is_printed() -> None:
    findings = Findings(
        Tally(taken=43),
        {
            ("order-view", "ExpressionFailed"): Group(41, 41, 3, OLDEST),
            ("order-view", "ValidationException"): Group(1),
            ("-", "NotAnEnvelope"): Group(1),
        },
    )
    for name, reason, place, message in (
        (
            "order-view",
            "OtherApplication",
            FIRST,
            "a letter of application 'shop'; redrive it with that application's settings",
        ),
        (
            None,
            "NotAnEnvelope",
            SECOND,
            "not a change record of a DynamoDB table: Object missing required field `eventName`",
        ),
    ):
        findings.tally.stay(name, reason, place, message)

    assert list(findings.summary()) == example("Look first")
