"""What a person watches on stderr: a bar in a terminal, a line now and then anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consumer.commands.redrive.tally import Tally

_LINE_EVERY_SECONDS = 5.0


class Screen(Protocol):
    """Shows how far it is."""

    def show(self, tally: Tally) -> None:
        """Show what has been done."""
        ...

    def wait(self, why: str | None) -> None:
        """Show what is waited for; None: no longer."""
        ...


@contextmanager
def open_screen(console: Console, total: int) -> Iterator[Screen]:
    """A progress bar where the console is a terminal, else plain lines. `total`: letters, about."""
    if not console.is_terminal:
        yield _Lines(console, total)
        return
    columns = (TextColumn("redrive"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}", markup=False), console=console) as progress:
        yield _Bar(progress, progress.add_task("", total=total))


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._done = ""
        self._waiting = False

    def show(self, tally: Tally) -> None:
        self._done = tally.line()
        total = max(tally.taken, self._progress.tasks[0].total or 0)
        self._progress.update(self._task, completed=tally.taken, total=total, description=self._done)

    def wait(self, why: str | None) -> None:
        if why is not None and not self._waiting:
            _print(self._progress.console, _waiting(why))
        self._waiting = why is not None
        self._progress.update(self._task, description="waiting" if self._waiting else self._done)


class _Lines:
    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._next = time.monotonic() + _LINE_EVERY_SECONDS
        self._waiting = False

    def show(self, tally: Tally) -> None:
        if time.monotonic() >= self._next:
            _print(
                self._console, f"{tally.taken:,} of about {max(self._total, tally.taken):,}: {tally.line()}"
            )
            self._next = time.monotonic() + _LINE_EVERY_SECONDS

    def wait(self, why: str | None) -> None:
        if why is not None and not self._waiting:
            _print(self._console, _waiting(why))
        self._waiting = why is not None


def _waiting(why: str) -> str:
    return f"waiting, and trying again: {why}"


def _print(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)
