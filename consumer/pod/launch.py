"""Becomes the daemon, after asking the kernel to kill it when the pod's supervisor dies.

Run as a script of its own, `launch.py SUPERVISOR_PID COMMAND...`: a JVM can't ask for this itself, and
Python's preexec_fn is unsafe beside threads. A daemon that outlived its supervisor would hold its leases with
nobody to watch or drain it. It is killed, not drained: nobody would be left to end a drain that hangs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal a process gets when the thread that started it ends. It stays across execve."""


def main() -> None:
    """Replace this process by the command; never returns."""
    supervisor, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:  # it died before the kernel knew what we want
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - becoming the daemon, without a shell, is the point


if __name__ == "__main__":
    main()
