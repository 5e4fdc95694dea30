"""What the servers share: a data directory, a process that can be stopped, killed and started again on it."""

import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.servers import keeper

START_SECONDS = 60.0
PAUSE_SECONDS = 0.05
LOG_LINES = 20


class ServerStartError(Exception):
    """A server did not start; the message says why, with the end of its log."""


class Server(ABC):
    """Runs one server as a context manager; it is entered running, and its data goes when it is left.

    A subclass says how it is prepared, started and known to be ready. Methods block: an async test calls them
    by asyncio.to_thread.
    """

    stop_signal: signal.Signals
    """Asks it to end in good order, whoever is connected."""

    user = ""
    """The account it runs as; "" for our own."""

    directory: Path
    """Holds all that it has; known once it is entered."""

    _keeper: "subprocess.Popen[str]"
    _process: psutil.Process | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Fill the directory, once."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What starts it, in the foreground."""

    @abstractmethod
    def is_ready(self, pid: int) -> bool:
        """Tell whether this process of it serves; asked again and again after a start."""

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix=f"tidemark-{type(self).__name__.lower()}-"))
        self._keeper = subprocess.Popen(
            [
                *(sys.executable, keeper.__file__, str(self.stop_signal.value), self.user),
                *(str(self.directory), *self.command()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for the test run to answer
        )
        try:
            self.prepare()
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int | None:
        """The process id of the running server; None while it is stopped."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it on the data it has, and wait until it serves; nothing to do if it runs.

        Raises ServerStartError when it ends, or does not serve within START_SECONDS.
        """
        if self._process is not None:
            return
        self._process = process = psutil.Process(self._ask_keeper())
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready(process.pid):
            if not is_alive(process):
                raise ServerStartError(f"{self._name} ended with code {self._reaped()}. {self.said()}")
            if time.monotonic() > deadline:
                self.kill()
                message = f"{self._name} did not serve within {START_SECONDS:.0f} s. {self.said()}"
                raise ServerStartError(message)
            time.sleep(PAUSE_SECONDS)

    def stop(self) -> None:
        """End it in good order; its data stays for the next start. Nothing to do if it is stopped."""
        if self._process is not None:
            self._reaped()

    def kill(self) -> None:
        """End it, and all the processes it has, by SIGKILL; its data stays as it is."""
        if self._process is None:
            return
        family = [self._process, *self._process.children(recursive=True)]
        for process in family:
            process.kill()
        self._reaped()
        while any(is_alive(process) for process in family):
            time.sleep(PAUSE_SECONDS)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _reaped(self) -> int:
        self._process = None
        return self._ask_keeper()

    def _ask_keeper(self) -> int:
        stdin, stdout = self._keeper.stdin, self._keeper.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("The keeper was started without pipes.")
        stdin.write("\n")
        stdin.flush()
        return int(stdout.readline())

    def _end(self) -> None:
        self._process = None
        self._keeper.communicate()  # closes its stdin, on which it stops the server and removes the directory

    def said(self) -> str:
        """The end of its log, for an error."""
        lines = (self.directory / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "The end of its log:\n" + "\n".join(lines[-LOG_LINES:]) if lines else "It said nothing."


def is_alive(process: psutil.Process) -> bool:
    """Tell whether it has not ended yet; a zombie has, whenever its parent comes to reap it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port(first: int, last: int) -> int:
    """Choose a port of 127.0.0.1 that nobody listens on.

    Ask for a range below the ephemeral ports (ip(7): from 32768 on Linux): so nobody's outgoing connection
    takes it while the server is down, and none that is made to it then meets itself.
    """
    for port in random.sample(range(first, last + 1), last + 1 - first):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerStartError(f"No port of 127.0.0.1 from {first} to {last} is free.")
