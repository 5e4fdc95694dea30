"""`tidemark filter`, as a process: bytes in, the same bytes out."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

TIDEMARK = [sys.executable, "-m", "consumer.cli", "filter", "--pattern"]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
"""The environment of most people, in which Python keeps what it prints until it is told not to."""

PAID = '{"status": ["PAID"]}'
HEAVY = ("consumer.settings.model", "yaml", "asyncio", "structlog", "jmespath", "boto3", "prometheus_client")


@pytest.fixture
def pattern(tmp_path: Path) -> Path:
    return write(tmp_path / "pattern.json", PAID)


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def run(pattern: Path, events: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*TIDEMARK, str(pattern)], input=events, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("events", "printed"),
    [
        (b'{"status":"PAID"}\n{"status":"NEW"}\n{"n":1,"status":"PAID"}\n', [0, 2]),
        (b'{"status":"PAID"}\r\n{"status":"NEW"}\r\n', [0]),
        (b'{"status":"NEW"}\n  { "status" : "PAID" , "n": 1.50 }  ', [1]),
        (b'\n\n{"status":"PA\\u0049D","dup":1,"dup":2}\n \n', [2]),
        (b'{"status":"PAID","e":"\xc3\xa9\xe2\x80\xa8"}\n', [0]),
        (b"", []),
    ],
)
def test_what_matches_is_printed_byte_for_byte_and_in_order(
    pattern: Path, events: bytes, printed: list[int]
) -> None:
    lines = events.splitlines(keepends=True)

    result = run(pattern, events)

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b"".join(lines[index] for index in printed)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b'["PAID"]',
        b'{"status":"PAID"',
        b'{"status":"PAID","x":"\xff"}',
        b'{"n":NaN}',
        b'{"status":' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_a_line_that_is_no_event_is_told_by_its_number_and_passed_over(pattern: Path, line: bytes) -> None:
    result = run(pattern, b'{"status":"PAID"}\n\n' + line + b'\n{"status":"PAID"}\n')

    assert result.returncode == 1
    assert result.stdout == b'{"status":"PAID"}\n' * 2
    assert result.stderr.startswith(b"line 3 is no event: ")
    assert len(result.stderr.splitlines()) == 1


def test_an_event_is_printed_before_the_next_one_is_there(pattern: Path) -> None:
    with subprocess.Popen(
        [*TIDEMARK, str(pattern)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=BUFFERED
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        out = process.stdout
        read: Queue[bytes] = Queue()
        process.stdin.write(b'{"status":"PAID"}\n')
        process.stdin.flush()
        Thread(target=lambda: read.put(out.readline()), daemon=True).start()
        try:
            assert read.get(timeout=60) == b'{"status":"PAID"}\n'
        finally:
            process.stdin.close()


def test_output_that_cannot_be_written_is_told_in_a_sentence(pattern: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*TIDEMARK, str(pattern)],
            input=b'{"status":"PAID"}\n',
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    assert (ended.returncode, ended.stderr) == (
        1,
        b"standard output can't be written: No space left on device\n",
    )


def test_input_that_is_closed_is_told_in_a_sentence(pattern: Path) -> None:
    command = shlex.join([*TIDEMARK, str(pattern)]) + " <&-"
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False, timeout=30)
    assert (ended.returncode, ended.stderr.splitlines()) == (
        2,
        [b"standard input or output is closed: events are read from the one to the other"],
    )


def test_it_ends_in_silence_when_nobody_reads_on(pattern: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(b'{"status":"PAID"}\n' * 100_000)
    reading, writing = os.pipe()
    with (
        events.open("rb") as stdin,
        subprocess.Popen(
            [*TIDEMARK, str(pattern)], stdin=stdin, stdout=writing, stderr=subprocess.PIPE, env=BUFFERED
        ) as process,
    ):
        os.close(writing)
        assert os.read(reading, 8) == b'{"status'
        os.close(reading)
        _, stderr = process.communicate(timeout=60)

    assert stderr == b""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.json", '{"a":[1,{"prefix":5}],"b":3}', ["a[1].prefix: 5 is not allowed", "b: 3 is not allowed"]),
        ("p.json", '[{"a":["x"]},{"b":[]}]', ["[1].b: is empty"]),
        ("p.json", "[]", ["an empty list"]),
        ("p.json", "{'a': ['x']}", ["not JSON: Expecting property name"]),
        ("p.json", '{"a":[NaN]}', ["NaN is no number"]),
        ("p.json", "5", ["a pattern is an object such as"]),
        ("p.yaml", "a:\n  b: [{ prefix: 5 }]\n", [":2:9: a.b[0].prefix: 5 is not allowed"]),
        ("p.yaml", "a: [1]\na: [2]\n", [":2:1: a: `a` is given twice"]),
        (
            "p.yml",
            "a: [12345678901234567890123456789012345678, {numeric: ['>', 1e400]}]",
            ["numeric[1]: 1e400"],
        ),
    ],
)
def test_a_pattern_that_aws_refuses_ends_with_2_and_the_reason(
    tmp_path: Path, name: str, text: str, said: list[str]
) -> None:
    result = run(write(tmp_path / name, text), b'{"a":"x"}\n')

    lines = result.stderr.decode().splitlines()
    assert (result.returncode, result.stdout) == (2, b"")
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))
    assert all(line.startswith(str(tmp_path / name)) for line in lines)


def test_a_pattern_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = run(tmp_path / "none.json")

    assert (result.returncode, result.stderr) == (
        2,
        f"{tmp_path / 'none.json'}: there is no such file\n".encode(),
    )


def test_of_a_list_of_patterns_any_may_match(tmp_path: Path) -> None:
    events = b'{"a":"x"}\n{"a":"y"}\n{"b":"z"}\n'

    result = run(write(tmp_path / "p.json", '[{"a":["x"]},{"b":["z"]}]'), events)

    assert result.stdout == b'{"a":"x"}\n{"b":"z"}\n'


def test_a_pattern_may_be_yaml_and_its_numbers_stay_exact(tmp_path: Path) -> None:
    events = b'{"n":12345678901234567890123456789012345678}\n{"n":12345678901234567890123456789012345679}\n'

    result = run(write(tmp_path / "p.yaml", "n: [12345678901234567890123456789012345678]\n"), events)

    assert (result.returncode, result.stdout) == (0, events.splitlines(keepends=True)[0])


def test_it_starts_without_importing_what_it_does_not_need(pattern: Path) -> None:
    script = (
        "import sys, consumer.cli\n"
        f"sys.argv = ['tidemark', 'filter', '--pattern', {str(pattern)!r}]\n"
        "try:\n    consumer.cli.main()\n"
        f"except SystemExit:\n    print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    assert (
        subprocess.check_output([sys.executable, "-c", script], text=True, stdin=subprocess.DEVNULL) == "[]\n"
    )
