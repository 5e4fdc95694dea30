import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "shop" / "tidemark.yaml"
HEAVY = ("asyncio", "boto3", "pydantic", "yaml", "rich.live", "sandbox")


def tidemark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "consumer.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )


def test_help_names_every_command() -> None:
    result = tidemark("--help")

    assert result.returncode == 0
    for command in (
        "run",
        "validate",
        "schema",
        "redrive",
        "rebuild",
        "cutover",
        "sandbox",
        "demo",
        "filter",
    ):
        assert f"  {command} " in result.stdout


def test_the_version_is_the_distribution_s() -> None:
    assert tidemark("--version").stdout.startswith("tidemark 0.")


def test_the_program_starts_without_importing_what_its_commands_need() -> None:
    script = f"import sys, consumer.cli; print([name for name in {HEAVY!r} if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def test_a_good_file_is_said_to_be_good_and_what_it_means() -> None:
    result = tidemark("validate", str(EXAMPLE))

    assert result.returncode == 0
    assert "tidemark.yaml: good" in result.stdout
    assert "stream orders-changes of table orders, from the oldest change it still holds on" in result.stdout
    assert "order-view: a row per item in DynamoDB table order-view" in result.stdout
    assert "orderId = keys.orderId" in result.stdout


@pytest.mark.parametrize("command", [["validate"], ["run", "-c"]])
def test_a_wrong_setting_ends_with_2_and_a_line_for_a_person(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8").replace("stream:", "streem:"), encoding="utf-8")

    result = tidemark(*command, str(file))

    assert result.returncode == 2
    assert f"{file}:5:14: source.kinesis.streem: no such setting; did you mean `stream`?" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = tidemark("validate", str(tmp_path / "none.yaml"))

    assert result.returncode == 2
    assert result.stderr == f"{tmp_path / 'none.yaml'}: there is no such file\n"


def test_an_unknown_command_ends_with_2() -> None:
    result = tidemark("projct")

    assert result.returncode == 2
    assert "No such command 'projct'" in result.stderr


def test_a_report_that_can_t_be_written_is_refused_before_the_demo_starts(tmp_path: Path) -> None:
    result = tidemark("demo", "--report", str(tmp_path / "nowhere" / "report.json"))

    assert result.returncode == 2
    assert "can't be written: No such file or directory" in result.stderr
    assert result.stdout == ""


def test_a_sandbox_without_its_port_ends_with_1_and_says_why() -> None:
    result = tidemark(
        "sandbox", "--host", "203.0.113.1", "--port", "4566"
    )  # an address no machine has (RFC 5737)

    assert result.returncode == 1
    assert "can't serve on 203.0.113.1:4566" in result.stderr
    assert "Traceback" not in result.stderr
