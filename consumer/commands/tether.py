"""A child process that must not outlive its parent, even one that is killed: a pipe is its standard input."""

import os
import signal
import sys
import threading

_ANY = 4096


def stop_when_stdin_closes() -> None:
    """Send this process SIGTERM once its standard input ends: whoever held the other end is gone."""
    threading.Thread(target=_wait, name="tether", daemon=True).start()


def _wait() -> None:
    while os.read(sys.stdin.fileno(), _ANY):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
