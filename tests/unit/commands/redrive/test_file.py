"""Letters of files: when they are rewritten, and what is found in them."""

from pathlib import Path

import pytest

from consumer.commands.redrive.file import FileLetters, files_of


class Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Lines:
    """A file of lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def text(self) -> bytes:
        return self.path.read_bytes()

    @text.setter
    def text(self, text: bytes) -> None:
        self.path.write_bytes(text)


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path / "letters.shardId-1.jsonl")


async def test_a_file_is_rewritten_now_and_then_and_at_the_end(lines: Lines) -> None:
    lines.text = b"a\nb\nc\n"
    clock = Clock()
    letters = FileLetters([lines.path], clock)
    a, b, c = await letters.take(10)

    await letters.remove([a])
    assert lines.text == b"a\nb\nc\n"
    clock.now = 10.0
    await letters.remove([b])
    assert lines.text == b"c\n"
    await letters.remove([c])
    await letters.close()
    assert lines.text == b""


async def test_lines_are_found_by_what_they_say_after_others_have_gone(lines: Lines) -> None:
    lines.text = b"a\nb\na\n"
    letters = FileLetters([lines.path], Clock())
    (first,) = await letters.take(1)
    lines.text = b"new\nb\na\n"
    await letters.remove([first])
    await letters.close()

    assert lines.text == b"new\nb\n"


async def test_what_is_appended_after_the_beginning_is_left_for_the_next_redrive(lines: Lines) -> None:
    lines.text = b"a\nb\n"
    letters = FileLetters([lines.path], Clock())
    (first,) = await letters.take(1)
    lines.text += b"c\n"

    rest = await letters.take(10)

    assert [first.text, *(entry.text for entry in rest)] == [b"a", b"b"]


async def test_half_a_line_at_the_end_is_found_too(lines: Lines) -> None:
    lines.text = b"a\n{half"
    letters = FileLetters([lines.path], Clock())

    assert [entry.place for entry in await letters.take(10)] == [
        f"{lines.path.name}, line {n}" for n in (1, 2)
    ]
    assert await letters.count() == 2


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("letters.jsonl", ["letters.shardId-1.jsonl", "letters.shardId-2.jsonl"]),
        ("letters.shardId-2.jsonl", ["letters.shardId-2.jsonl"]),
        ("letters", ["letters.shardId-1.jsonl", "letters.shardId-2.jsonl"]),
        ("other.jsonl", []),
        ("[letters].jsonl", ["[letters].shardId-1.jsonl"]),
    ],
)
def test_a_name_is_one_file_or_those_that_shards_made_of_it(
    tmp_path: Path, name: str, found: list[str]
) -> None:
    for shard in (1, 2):
        (tmp_path / f"letters.shardId-{shard}.jsonl").touch()
    (tmp_path / "[letters].shardId-1.jsonl").touch()
    (tmp_path / ".letters.shardId-1.jsonl.new").touch()

    assert [path.name for path in files_of(tmp_path / name)] == found
