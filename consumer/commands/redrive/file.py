"""Letters in the files that shard processes append to; how both get on: consumer.shard.deadletter.file."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from itertools import islice
from pathlib import Path

from consumer.commands.redrive.source import Found
from consumer.errors import SettingsError, Unavailable
from consumer.shard.deadletter.file import keep_lines

_REWRITE_SECONDS = 10.0
"""Between two rewritings of a file: each one reads all of it."""


def files_of(path: Path) -> list[Path]:
    """The file of that name, or else those that shard processes made of it by their shards' names."""
    if path.is_file():
        return [path]
    return sorted(path.parent.glob(f"{escape(path.stem)}.*{escape(path.suffix or '.jsonl')}"))


class FileLetters:
    """The lines of some files. What is appended meanwhile is left for the next redrive."""

    def __init__(self, paths: Sequence[Path], clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._paths = paths
        self._clock = clock
        self._lines = self._read()
        self._settled: dict[Path, set[bytes]] = {}
        self._rewritten_at = clock()

    async def count(self) -> int:
        """How many lines there are."""
        return await asyncio.to_thread(lambda: sum(1 for path in self._paths for _ in _lines(path)))

    async def hidden(self) -> int:
        """None: a line is there for whoever reads it."""
        return 0

    async def take(self, most: int) -> list[Found]:
        """The next lines."""
        return await asyncio.to_thread(lambda: list(islice(self._lines, most)))

    async def remove(self, found: Sequence[Found]) -> list[Found]:
        """Remember that these lines are to go; the files are rewritten now and then."""
        for entry in found:
            self._settled.setdefault(Path(entry.key), set()).add(_digest(entry.text))
        if self._clock() >= self._rewritten_at + _REWRITE_SECONDS:
            await self.close()
        return []

    async def close(self) -> None:
        """Rewrite the files without the lines that are settled."""
        for path in list(self._settled):
            await asyncio.to_thread(_take_out, path, self._settled[path])
            del self._settled[path]
        self._rewritten_at = self._clock()

    def _read(self) -> Iterator[Found]:
        for path in self._paths:
            for number, line in _lines(path):
                yield Found(str(path), f"{path.name}, line {number}", line)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are there when it begins, with their numbers, without the empty ones."""
    with _errors_of(path), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # so that no line is half written
        rest = os.fstat(file.fileno()).st_size
        fcntl.flock(file, fcntl.LOCK_UN)
        for number, line in enumerate(file, 1):
            rest -= len(line)
            if rest < 0:
                return
            if line.strip():
                yield number, line.removesuffix(b"\n")


def _take_out(path: Path, settled: set[bytes]) -> None:
    """Remove lines by what they say: they may have moved, and two that are equal are one letter."""
    try:
        keep_lines(path, lambda line: _digest(line) not in settled)
    except OSError as error:
        message = f"settled letters can't be removed from {path}: {error.strerror}"
        raise Unavailable(message, code="DeadLetterFile") from error


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}") from error


def _digest(line: bytes) -> bytes:
    return hashlib.sha256(line).digest()
