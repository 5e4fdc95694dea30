"""Where a record goes that can't be applied: whole, with the reason, and never lost.

One JSON object a line: processor, error {type, code, message, attempts}, source {stream, shard, sequence
number, …}, record (base64 of the bytes as they came).
"""

import asyncio
import base64
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import orjson

from consumer.errors import Rejected, Unavailable
from consumer.record import StreamRecord
from consumer.settings.model import Delivery


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record and why it is here. `processor` is None where it could not even be decoded."""

    processor: str | None
    record: StreamRecord
    error: Rejected
    attempts: int


class DeadLetters(Protocol):
    """A place that keeps dead letters."""

    async def write(self, letter: DeadLetter) -> None:
        """Keep the letter durably; raises Unavailable where it can't."""
        ...


class NoDeadLetters:
    """None is configured: the record blocks until one is, since nothing is ever skipped."""

    async def write(self, letter: DeadLetter) -> None:
        """Refuse, with what to do."""
        message = (
            f"a record can't be applied ({letter.error.code}: {letter.error}) and no dead letter is "
            "configured, so it blocks its shard; set delivery.on_failure in the settings"
        )
        raise Unavailable(message, code="NoDeadLetter")


class DeadLetterPlaces:
    """Where each processor's settings send its dead letters; who shares a file shares its writer."""

    def __init__(self, *, application: str, stream: str, shard_id: str) -> None:
        """Take what every letter of the shard says of its source."""
        self._make = partial(FileDeadLetters, application=application, stream=stream, shard_id=shard_id)
        self._files: dict[str, FileDeadLetters] = {}

    def of(self, delivery: Delivery) -> DeadLetters:
        """The place that these delivery settings name."""
        if delivery.on_failure is None:
            return NoDeadLetters()
        file = delivery.on_failure.file
        return self._files.setdefault(file, self._make(Path(file)))


class FileDeadLetters:
    """JSON lines in a file on a durable volume, written through to the disk.

    A file a shard process, so no two write one file.
    """

    def __init__(self, path: Path, *, application: str, stream: str, shard_id: str) -> None:
        """`path` is the settings' file; the shard's name is put before its suffix."""
        self._path = path.with_name(f"{path.stem}.{shard_id}{path.suffix or '.jsonl'}")
        self._application = application
        self._stream = stream
        self._shard_id = shard_id
        self._lock = asyncio.Lock()

    async def write(self, letter: DeadLetter) -> None:
        """Append one line and fsync it."""
        line = orjson.dumps(self._document(letter), option=orjson.OPT_APPEND_NEWLINE)
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

    def _document(self, letter: DeadLetter) -> dict[str, object]:
        record = letter.record
        return {
            "application": self._application,
            "processor": letter.processor,
            "error": {
                "type": type(letter.error).__name__,
                "code": letter.error.code,
                "message": str(letter.error),
                "attempts": letter.attempts,
            },
            "source": {
                "stream": self._stream,
                "shard": self._shard_id,
                "sequenceNumber": record.sequence_number,
                "subSequenceNumber": record.sub_sequence_number,
                "approximateArrivalTimestamp": record.arrived_at_ms,
            },
            "record": base64.b64encode(record.data).decode("ascii"),
        }
