"""The KCL daemon's part, by script: starts a shard process, sends it lines and takes every checkpoint."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.stage import Stage

_GONE_SECONDS = 10.0


class ChildEndedError(RuntimeError):
    """The child closed its standard output before it had answered."""


class ScriptedDaemon:
    """Our end of a child's pipes; accepts every checkpoint."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is None or child.stdout is None:
            raise TypeError("the child has no pipes")
        self._to_child, self._from_child = child.stdin, child.stdout
        self._process = psutil.Process(child.pid)
        self.answered = 0
        """How many messages the child has answered."""

    def begin(self, shard: str) -> None:
        """Hand over a shard, from its first record on."""
        self.say(
            {
                "action": "initialize",
                "shardId": shard,
                "sequenceNumber": "TRIM_HORIZON",
                "subSequenceNumber": 0,
            }
        )

    def end_shard(self) -> None:
        """The end of the shard: answered once every record is settled."""
        self.say({"action": "shardEnded"})

    def say(self, message: dict[str, str | int]) -> None:
        """Send a message and wait for its answer."""
        self.say_line(json.dumps(message).encode() + b"\n")

    def say_line(self, line: bytes) -> None:
        """Send a message that is a line already, and wait for its answer, as the daemon does.

        Raises:
            ChildEndedError: there is none, and there won't be.
        """
        self._to_child.write(line)
        self._to_child.flush()
        while True:
            heard = self._from_child.readline()
            if not heard:
                raise ChildEndedError("the child ended in the middle of a message")
            if heard == b"\n":
                continue
            answer = json.loads(heard)
            if answer["action"] == "status":
                self.answered += 1
                return
            accepted = {
                "action": "checkpoint",
                "sequenceNumber": answer["sequenceNumber"],
                "subSequenceNumber": answer["subSequenceNumber"],
                "error": None,
            }
            self._to_child.write(json.dumps(accepted).encode() + b"\n")
            self._to_child.flush()

    def close(self) -> None:
        """The daemon is gone, whatever is unanswered."""
        self._to_child.close()

    @property
    def cpu_seconds(self) -> float:
        """What the child has used since its start, in user mode and in the kernel."""
        used = self._process.cpu_times()
        return used.user + used.system

    @property
    def megabytes(self) -> float:
        """The child's resident memory now."""
        return self._process.memory_info().rss / 2**20


@contextmanager
def open_child(module: str, stage: Stage) -> Iterator[ScriptedDaemon]:
    """A shard process that has begun a shard of its own; at the end its daemon goes, and so does it."""
    log = stage.run_directory / "child.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=stage.environment,
        ) as child,
    ):
        daemon = ScriptedDaemon(child)
        try:
            daemon.begin(stage.new_shard())
            yield daemon
        except ChildEndedError as error:
            error.add_note(log.read_text(encoding="utf-8"))
            raise
        finally:
            daemon.close()
            try:
                child.wait(_GONE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
