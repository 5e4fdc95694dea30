"""Rebuilds and cut-overs by the real commands, and somebody who reads all the while."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from consumer.commands.demo.service import service_environment
from tests.end_to_end.harness import PATIENCE_SECONDS, Service
from tests.end_to_end.stage import VIEW, Stage
from tests.end_to_end.trouble import in_background

_LOOK_SECONDS = 0.03


@dataclass(slots=True)
class Reader:
    """How often somebody looked at a read model, and what they saw that no reader should."""

    looks: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def reading(look: Callable[[], str | None]) -> Iterator[Reader]:
    """Look again and again, until the end of the block; `look` gives what is wrong, or None."""
    reader = Reader()

    def work(over: threading.Event) -> None:
        while not over.wait(_LOOK_SECONDS):
            wrong = look()
            reader.looks += 1
            if wrong is not None:
                reader.wrong.append(wrong)

    with in_background(work):
        yield reader


def rebuilding(stage: Stage, settings: Path, *options: str, processor: str = VIEW) -> Service:
    """`tidemark rebuild` of a processor; a service like another one."""
    command = ("rebuild", "--processor", processor, *options)
    return Service(stage, settings, worker_id=f"rebuild-{processor}", command=command)


def begin_to_cut_over(
    stage: Stage, settings: Path, *options: str, processor: str = VIEW
) -> "subprocess.Popen[str]":
    """`tidemark cutover` as it has just been started."""
    arguments = ("cutover", "--config", str(settings), "--processor", processor, *options)
    return subprocess.Popen(
        [sys.executable, "-m", "consumer.cli", *arguments],
        env=service_environment(stage.sandbox.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(cutover: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for a cut-over: the exit code, and all that was said."""
    with cutover:
        try:
            said, _ = cutover.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            cutover.kill()
            raise
        return cutover.returncode, said
