"""The daemon's process group: itself and its shard processes."""

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def is_gone(group: int) -> bool:
    """Whether no process of the group lives; only to be asked once its first process was waited for.

    A dead process that nobody waits for stays in its group: what we inherited of them (as a container's first
    process we do) is waited for here, and those of another parent are told from the living where /proc can.
    """
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return _PROC.is_dir() and not any(_lives_in(group, entry) for entry in _PROC.iterdir())


def _lives_in(group: int, entry: Path) -> bool:
    """proc(5), /proc/PID/stat: pid, name in brackets, state, parent, process group."""
    if not entry.name.isdecimal():
        return False
    try:
        after_name = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    state, _parent, its_group = after_name.split()[:3]
    return its_group == str(group) and state not in ("Z", "X")
