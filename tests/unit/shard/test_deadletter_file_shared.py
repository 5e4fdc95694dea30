"""A dead letter file while lines are removed from it, as a redrive does: in processes of their own."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.errors import Unavailable
from consumer.shard.deadletter.file import append, keep_lines, locked

LINES = 150
WRITER = f"""
import sys
from pathlib import Path
from consumer.shard.deadletter.file import append
for number in range({LINES}):
    append(Path(sys.argv[1]), f"{{sys.argv[2]}}.{{number}}\\n".encode())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "letters.jsonl"


def test_no_line_is_lost_or_comes_back_while_processes_append_and_others_are_removed(file: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in ("a", "b", "c")]
    removed: list[bytes] = []

    def stays(line: bytes) -> bool:
        if line.endswith((b"1", b"2", b"3", b"4", b"5")):
            removed.append(line)
            return False
        return True

    rewrites = 0
    while any(writer.poll() is None for writer in writers):
        if file.exists():
            keep_lines(file, stays)
            rewrites += 1

    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert rewrites > 1
    expected = {f"{name}.{number}".encode() for name in "abc" for number in range(LINES)}
    found = file.read_bytes().splitlines()
    assert sorted([*found, *removed]) == sorted(expected)


def test_the_lines_that_stay_keep_their_order_and_the_file_its_rights(file: Path) -> None:
    for line in (b"one\n", b"two\r\n", b"three\n", b"half"):
        append(file, line)
    file.chmod(0o640)

    keep_lines(file, lambda line: line != b"one")

    assert file.read_bytes() == b"two\r\nthree\nhalf\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_of_which_all_stays_is_not_touched(file: Path) -> None:
    append(file, b"one\n")
    before = file.stat()

    keep_lines(file, lambda _: True)

    assert os.path.samestat(before, file.stat())


def test_a_file_that_is_held_too_long_makes_the_record_wait_and_says_by_whom(file: Path) -> None:
    with file.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(Unavailable, match=r"letters\.jsonl is held by another process.*redrive"),
            locked(file, 0),
        ):
            pass

    append(file, b"later\n")
    assert file.read_bytes() == b"later\n"


def test_nothing_stays_of_a_line_that_could_not_be_written_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(file, b"one\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append(file, b"two\n")
    monkeypatch.undo()

    assert file.read_bytes() == b"one\n"
