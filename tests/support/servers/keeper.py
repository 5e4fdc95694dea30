"""Keeps one server: starts and stops it on its parent's word, and cleans up once the parent is gone.

Run by server.py as a script of its own, `keeper.py STOP_SIGNAL USER DIRECTORY COMMAND...`. A line on its
stdin starts the server, and its pid is printed; the next line stops it, and its exit code is printed; and so
on. When its stdin closes, as it does when the parent is killed, the server is stopped and the directory
removed.

A pipe, and not PR_SET_PDEATHSIG as for the daemon: that signal comes when the *thread* that started a
process ends, and tests start servers from threads; it is forgotten when the process changes its user, as
PostgreSQL does; and it leaves the data behind.
"""

import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 20.0
"""A server that has not ended so long after its stop signal is killed."""


def main() -> None:
    """Serve the parent until it is gone."""
    stop_signal, user, directory = signal.Signals(int(sys.argv[1])), sys.argv[2], Path(sys.argv[3])
    server = None
    for _ in sys.stdin:
        if server is None:
            server = start(sys.argv[4:], user, directory)
            report(server.pid)
        else:
            report(stop(server, stop_signal))
            server = None
    if server is not None:
        stop(server, stop_signal)
    shutil.rmtree(directory, ignore_errors=True)


def start(command: list[str], user: str, directory: Path) -> subprocess.Popen[bytes]:
    """Start the server as a user ("": as we are), in its directory, and let it write to server.log there."""
    account = pwd.getpwnam(user) if user else None
    with (directory / "server.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )


def stop(server: subprocess.Popen[bytes], stop_signal: signal.Signals) -> int:
    """End the server, in good order if it can, and return its exit code; it may have ended already."""
    server.send_signal(stop_signal)
    try:
        return server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def report(number: int) -> None:
    """Tell the parent, if it still listens."""
    try:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # its end shows on stdin, too


if __name__ == "__main__":
    main()
