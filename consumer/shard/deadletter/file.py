"""Dead letters as JSON lines in a file on a durable volume, written through to the disk.

Who removes lines (a redrive) does it by a new file in the place of the old one, while shard processes append:

    writer                                     who removes
    opens the path, locks what it opened       opens the path, locks what it opened
    is the path still this file? else anew     is the path still this file? else anew
    appends a line, fsync                      reads every line, writes those that stay into a new file, fsync
    lets go                                    renames it over the path, fsync of the directory, lets go

The lock is flock(2)'s: of the open file, so that it goes with the process that dies. A writer that waited for
the lock of the old file finds that the path leads elsewhere, and appends to the new one.
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from consumer.errors import Unavailable
from consumer.shard.deadletter.blocking import Threads
from consumer.shard.deadletter.letter import DeadLetter, Origin, encode, to_document

_LOCK_SECONDS = 5.0
_LOOK_SECONDS = 0.01


class FileDeadLetters:
    """A file a shard process."""

    def __init__(self, path: Path, origin: Origin, clock: Callable[[], float]) -> None:
        """`path` is the settings' file; the shard's name is put before its suffix. `clock`: Unix seconds."""
        self._path = path.with_name(f"{path.stem}.{origin.shard_id}{path.suffix or '.jsonl'}")
        self._origin = origin
        self._clock = clock
        # Of its own: a volume that hangs must not keep host names and credentials from being looked up.
        self._thread = Threads(1, "dead-letter-file")

    async def write(self, letter: DeadLetter) -> None:
        """Append one line and fsync it."""
        line = encode(to_document(letter, self._origin, self._clock())) + b"\n"
        try:
            await self._thread.run(lambda: append(self._path, line))
        except OSError as error:
            message = (
                f"the dead letter file {self._path} can't be written: {error.strerror}; it is tried again"
            )
            raise Unavailable(message, code="DeadLetterFile") from error


def append(path: Path, line: bytes) -> None:
    """Append a line and write it through, the file's name too.

    Raises:
        OSError: it could not be written; nothing of it is left in the file.
        Unavailable: somebody else holds the file's lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path) as file:
        size = file.seek(0, os.SEEK_END)
        # A crash left half a line: keep it from swallowing this one.
        whole = line if _ends_a_line(file, size) else b"\n" + line
        try:
            _write_through(file, whole)
        except OSError:
            file.truncate(size)
            raise
    _keep_the_names(path.parent)


def keep_lines(path: Path, stays: Callable[[bytes], bool]) -> None:
    """Remove from the file every line that does not stay; each is given without its end.

    Raises:
        OSError: the file is as it was.
        Unavailable: somebody else holds the file's lock.
    """
    with locked(path) as file:
        lines = file.readall().removesuffix(b"\n").split(b"\n")
        kept = [line for line in lines if stays(line)]
        if len(kept) == len(lines):
            return
        new = path.with_name(f".{path.name}.new")
        with FileIO(new, "w") as rewritten:
            _give_to_the_same_user(file, rewritten)
            _write_through(rewritten, b"".join(line + b"\n" for line in kept))
        new.replace(path)
        _keep_the_names(path.parent)


@contextmanager
def locked(path: Path, seconds: float = _LOCK_SECONDS) -> Iterator[FileIO]:
    """The file that the path leads to, made if it isn't there: open at its start, nobody else's meanwhile.

    Raises:
        Unavailable: somebody else has held it for so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        with FileIO(path, "a+") as file:
            _lock(file, path, deadline)
            if _leads_to(path, file):
                file.seek(0)
                yield file
                return


def _lock(file: FileIO, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                message = (
                    f"the dead letter file {path} is held by another process, such as `tidemark redrive`;"
                    " end that process if it hangs"
                )
                raise Unavailable(message, code="DeadLetterFileLocked") from None
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _leads_to(path: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _ends_a_line(file: FileIO, size: int) -> bool:
    if size == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _give_to_the_same_user(old: FileIO, new: FileIO) -> None:
    """Or the shard process could not write into it: who redrives may be another."""
    state = os.fstat(old.fileno())
    os.fchown(new.fileno(), state.st_uid, state.st_gid)
    os.fchmod(new.fileno(), stat.S_IMODE(state.st_mode))


def _write_through(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _keep_the_names(directory: Path) -> None:
    """A new file is lost with the machine until its directory is written through too (fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
