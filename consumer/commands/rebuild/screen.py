"""What a person watches on stderr: a bar in a terminal, a line now and then anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

_LINE_EVERY_SECONDS = 10.0


class Screen(Protocol):
    """Shows how far it is."""

    def show(self, share: float, line: str) -> None:
        """Show a share from 0 to 1, and what is known besides."""
        ...

    def say(self, line: str) -> None:
        """Say what stays on the screen."""
        ...


@contextmanager
def open_screen(console: Console, what: str) -> Iterator[Screen]:
    """A progress bar where the console is a terminal, else plain lines. `what`: the bar's name."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (TextColumn(what, markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}", markup=False), console=console) as progress:
        yield _Bar(progress, progress.add_task("", total=1.0))


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, share: float, line: str) -> None:
        self._progress.update(self._task, completed=share, description=line)

    def say(self, line: str) -> None:
        _print(self._progress.console, line)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0
        self._shown = ""

    def show(self, share: float, line: str) -> None:
        if time.monotonic() >= self._next and line != self._shown:
            _print(self._console, line)
            self._next, self._shown = time.monotonic() + _LINE_EVERY_SECONDS, line

    def say(self, line: str) -> None:
        _print(self._console, line)


def _print(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)
