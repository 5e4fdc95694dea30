"""docs/rebuild.md is held to the code: options, what pods with other settings say, and what is in the way."""

import re

import typer.main

from checkpoint.control import Control
from consumer.cli import app
from consumer.pod.models import halt
from tests.support.pages import ROOT, blocks, code, rows

PAGE = ROOT / "docs" / "rebuild.md"
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for room in ("rebuild", "cutover")
    for path in sorted((ROOT / "consumer" / "commands" / room).glob("*.py"))
)


def test_every_option_of_a_rebuild_is_told() -> None:
    command = typer.main.get_command(app).commands["rebuild"]  # type: ignore[attr-defined]  # a group
    told = {name for row in rows(PAGE, "Build it") for name in code(row[0]) if name.startswith("--")}
    options = {option.opts[0] for option in command.params if not getattr(option, "hidden", False)}

    assert told == options - {"--config"}


def test_what_a_pod_with_other_settings_says_is_told() -> None:
    (block,) = blocks(PAGE, "text", under="Restart with the new settings")

    assert block.text.strip() == halt("order-view", Control(into="order-view-rebuild"))


def test_what_is_said_to_stand_in_the_way_is_said() -> None:
    said = re.sub(r'"\s+f?"', "", SOURCES)  # texts over several lines
    for row in rows(PAGE, "What stands in the way"):
        for part in re.split(r"…|'[^']*'", code(row[0])[0]):
            assert part.strip() in said, row
