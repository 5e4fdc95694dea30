import base64
import json
import re
import shlex
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
import typer.main
from typer.core import TyperGroup

from consumer.cli import app
from consumer.errors import Rejected
from consumer.expressions import Expression
from consumer.pod.adrift import Adrift
from consumer.pod.report import PodReport, problems, totals
from consumer.record import StreamRecord
from consumer.settings.load import load_settings
from consumer.shard.deadletter.file import FileDeadLetters
from consumer.shard.deadletter.letter import DeadLetter, Origin
from consumer.shard.envelopes import decode
from tests.support.pages import ROOT, Block, all_blocks, blocks

OPERATE = ROOT / "docs" / "operate.md"
COMMANDS = [
    pytest.param(line, id=f"{block.place}: {line}")
    for block in all_blocks("sh")
    for line in re.sub(r"<<'END'\n.*?^END$", "", block.text, flags=re.DOTALL | re.MULTILINE).splitlines()
]


def test_every_block_says_its_language() -> None:
    languages = {block.language for block in all_blocks()}

    assert languages == {"yaml", "sh", "python", "json", "sql", "text"}


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=lambda block: block.place)
def test_an_example_of_settings_is_accepted(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(block.text, encoding="utf-8")

    assert load_settings(file).processors


def test_the_readmes_settings_are_five_lines() -> None:
    (block,) = blocks(ROOT / "README.md", "yaml")

    assert len(block.text.splitlines()) == 5


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: block.place)
def test_an_example_of_json_is_json(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("python"), ids=lambda block: block.place)
def test_an_example_of_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_that_there_is(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "tidemark":
        program = typer.main.get_command(app)
        assert isinstance(program, TyperGroup)
        program.commands[words[1]].make_context(words[1], words[2:])  # raises on a wrong option or argument
    elif words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert f"\n.PHONY: {words[1]}\n" in makefile
    else:
        assert words[0] in {".", "export", "python"}


def test_the_example_of_status_has_the_keys_of_the_real_one_and_says_what_it_would() -> None:
    (example,) = (json.loads(block.text) for block in blocks(OPERATE, "json", under="Status"))

    report = msgspec.convert(example, PodReport)

    assert json.loads(msgspec.json.encode(report)) == example
    assert report.totals == totals(report.shards)
    assert report.problems == problems(
        report.daemon, report.shards, report.waiting_for, report.now, adrift=Adrift(), stores={}
    )


async def test_the_example_of_a_dead_letter_is_what_is_written(tmp_path: Path) -> None:
    (example,) = (json.loads(block.text) for block in blocks(OPERATE, "json", under="Dead letters"))
    source, error = example["source"], example["error"]
    record = StreamRecord(
        base64.b64decode(example["record"]),
        source["sequenceNumber"],
        source["subSequenceNumber"],
        source["approximateArrivalTimestamp"],
    )
    with pytest.raises(Rejected) as raised:
        Expression("length(new.items)").search({"new": {}, "keys": {}})
    origin = Origin(example["application"], source["stream"], source["shard"])
    failed_at = datetime.fromisoformat(example["failedAt"]).timestamp()
    files = FileDeadLetters(tmp_path / "dead-letters.jsonl", origin, lambda: failed_at)
    letter = DeadLetter(example["processor"], record, raised.value, error["attempts"], decode(record))

    await files.write(letter)

    written = tmp_path / "dead-letters.shardId-000000000000.jsonl"
    assert json.loads(written.read_text(encoding="utf-8")) == example
    assert f"/{written.name}`" in OPERATE.read_text(encoding="utf-8")
    assert decode(record).keys == {"orderId": {"S": "A-7"}}  # what the page says it is
