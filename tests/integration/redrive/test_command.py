"""The command as a user calls it: what it prints, how it waits, how it ends."""

import select
import signal
import subprocess

import pytest

from checkpoint.positions import PROCESSORS, SUFFIX
from consumer.errors import SettingsError
from sandbox.faults.fault import Fault
from tests.integration.redrive.conftest import Stage


def said_by(process: "subprocess.Popen[str]", words: str) -> str:
    """Its standard error, up to a line with these words."""
    assert process.stderr is not None
    heard = ""
    while words not in heard:
        assert select.select([process.stderr], [], [], 60)[0], heard
        line = process.stderr.readline()
        assert line, heard
        heard += line
    return heard


def test_it_tells_the_outcome_on_stdout_and_ends_with_0(stage: Stage) -> None:
    stage.file.write_bytes(stage.letter("a") + b"\n")

    process = stage.start("-c", str(stage.settings()))
    stdout, stderr = process.communicate(timeout=60)

    assert (process.returncode, stdout, stderr) == (0, "1 settled (1 applied)\n", "")


def test_a_store_that_is_away_is_waited_for_and_said(stage: Stage) -> None:
    stage.file.write_bytes(stage.letter("a") + b"\n")
    stage.sandbox.faults.add(
        Fault(kind="fail", service="dynamodb", operation="PutItem", resource=stage.shop.view)
    )
    process = stage.start("-c", str(stage.settings()))
    try:
        assert "waiting, and trying again: " in said_by(process, "waiting")
    finally:
        stage.sandbox.faults.clear()

    stdout, _ = process.communicate(timeout=60)

    assert (process.returncode, stdout) == (0, "1 settled (1 applied)\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_removes_what_is_settled_and_leaves_the_rest(
    stage: Stage, number: signal.Signals
) -> None:
    done, waiting = stage.letter("a", "text"), stage.letter("b", "text", processor="picky")
    stage.file.write_bytes(done + b"\n" + waiting + b"\n")
    picky = f"{stage.shop.prefix}-picky"
    stage.sandbox.faults.add(Fault(kind="fail", service="dynamodb", operation="PutItem", resource=picky))
    process = stage.start("-c", str(stage.settings()))
    try:
        said_by(process, "waiting")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        stage.sandbox.faults.clear()

    assert process.returncode == 1
    assert stdout == "cut short: interrupted\n1 settled (1 applied), 1 untouched\n"
    assert "Traceback" not in stderr
    assert stage.file.read_bytes() == waiting + b"\n"


def test_a_process_that_is_killed_leaves_letters_that_the_next_one_settles(stage: Stage) -> None:
    letters = [stage.letter("a", "text"), stage.letter("b", "text", processor="picky")]
    stage.file.write_bytes(b"\n".join(letters) + b"\n")
    picky = f"{stage.shop.prefix}-picky"
    stage.sandbox.faults.add(Fault(kind="fail", service="dynamodb", operation="PutItem", resource=picky))
    process = stage.start("-c", str(stage.settings()))
    try:
        said_by(process, "waiting")
        process.kill()
        process.communicate(timeout=60)
    finally:
        stage.sandbox.faults.clear()

    assert stage.row("a") is not None
    assert stage.file.read_bytes().splitlines() == letters
    assert stage.redrive().lines == ["2 settled (1 applied, 1 stale)"]
    assert stage.file.read_bytes() == b""


def test_letters_are_not_applied_by_other_settings_than_the_application_runs_with(stage: Stage) -> None:
    stage.settings()
    stage.file.write_bytes(stage.letter("a"))
    table = f"{stage.shop.prefix}{SUFFIX}"
    stage.shop.make_table(table, key="key")
    fingerprints = {"view": {"S": "another"}}
    stage.aws.dynamodb.put_item(
        TableName=table, Item={"key": {"S": PROCESSORS}, "fingerprints": {"M": fingerprints}}
    )

    with pytest.raises(SettingsError, match=r"view has other settings .* use the file that the pods have"):
        stage.redrive()

    assert stage.row("a") is None


def test_a_mistake_in_the_settings_ends_with_2_and_a_line_for_a_person(stage: Stage) -> None:
    process = stage.start("-c", str(stage.settings('{ sqs: "https://127.0.0.1/1/q" }')), "--from", "ftp://x")
    stdout, stderr = process.communicate(timeout=60)

    assert (process.returncode, stdout) == (2, "")
    assert (
        stderr
        == "--from ftp://x: name an SQS queue (its URL, or sqs://its-name), s3://bucket/prefix, or a file\n"
    )
