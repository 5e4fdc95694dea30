"""A server of a benchmark's own in a process of its own: it serves until its standard input is closed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def open_child_server(module: str, argument: str) -> Iterator[int]:
    """Start a module that prints the port it listens at on 127.0.0.1; gives the port."""
    with subprocess.Popen(
        [sys.executable, "-m", module, argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise TypeError("the child has no pipes")
        try:
            yield int(child.stdout.readline())
        finally:
            child.stdin.close()
