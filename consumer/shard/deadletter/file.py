"""Dead letters as JSON lines in a file on a durable volume, written through to the disk."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from consumer.errors import Unavailable
from consumer.shard.deadletter.letter import DeadLetter, Origin, encode, to_document


class FileDeadLetters:
    """A file a shard process, so no two write one file."""

    def __init__(self, path: Path, origin: Origin, clock: Callable[[], float]) -> None:
        """`path` is the settings' file; the shard's name is put before its suffix. `clock`: Unix seconds."""
        self._path = path.with_name(f"{path.stem}.{origin.shard_id}{path.suffix or '.jsonl'}")
        self._origin = origin
        self._clock = clock
        self._lock = asyncio.Lock()

    async def write(self, letter: DeadLetter) -> None:
        """Append one line and fsync it."""
        line = encode(to_document(letter, self._origin, self._clock())) + b"\n"
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, line)
            except OSError as error:
                message = f"the dead letter file {self._path} can't be written: {error.strerror}"
                raise Unavailable(message, code="DeadLetterFile") from error

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            if file.tell() and not self._ends_with_newline():
                file.write(b"\n")  # a crash left half a line: keep it from swallowing this one
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._keep_the_name()

    def _keep_the_name(self) -> None:
        """A new file is lost with the machine until its directory is written through too (fsync(2))."""
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _ends_with_newline(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
