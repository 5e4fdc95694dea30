"""A shard process's own account of itself: one small file in the run directory, written about once a second.

The pod reads these for /status, /healthz and for the pids it signals on a drain. Writing is by rename, so a
reader never sees half a file.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

ShardState = Literal["starting", "running", "waiting", "parked", "draining"]
"""What a shard is at.

starting: it asks where to begin, and whether the stream still holds that; waiting: the window is full or a
store is unavailable; parked: data was trimmed and the settings don't say to go on; draining: it begins
nothing more, and lets go of the shard.
"""


class ProcessorStatus(msgspec.Struct, frozen=True):
    """One processor of one shard."""

    name: str
    settled: int
    outcomes: dict[str, int]
    items_waiting: int = 0
    """Items held back by a record that is to be tried again, or whose dead letter can't be written."""
    unavailable_since: float | None = None
    last_error: str | None = None


class ShardStatus(msgspec.Struct, frozen=True):
    """One shard process. Times are Unix seconds, sizes bytes."""

    shard_id: str
    pid: int
    state: ShardState
    ticked_at: float
    started_at: float
    records_received: int = 0
    records_in_flight: int = 0
    bytes_in_flight: int = 0
    lag_seconds: float | None = None
    """Age of the oldest unsettled record (by arrival in the stream), or how far behind its end KCL reads.

    0 when caught up; None: not known yet.
    """
    frontier: str | None = None
    checkpoint: str | None = None
    checkpointed_at: float | None = None
    processors: tuple[ProcessorStatus, ...] = ()
    message: str | None = None
    """For people: why it waits or is parked, and what to do."""


def status_directory(run_directory: Path) -> Path:
    """Where the shard processes of a run directory write."""
    return run_directory / "shards"


def write_status(run_directory: Path, status: ShardStatus) -> None:
    """Write one shard's file `<shard_id>.<pid>.json`, replacing the one before."""
    target = status_directory(run_directory) / f"{status.shard_id}.{status.pid}.json"
    draft = target.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(status))
    draft.replace(target)


def remove_status(run_directory: Path, shard_id: str, pid: int) -> None:
    """Forget a shard process that ended or died."""
    (status_directory(run_directory) / f"{shard_id}.{pid}.json").unlink(missing_ok=True)


def read_statuses(run_directory: Path) -> list[ShardStatus]:
    """All shard processes of the pod that are alive, by shard; files of dead pids are left out."""
    found: list[ShardStatus] = []
    for path in sorted(status_directory(run_directory).glob("*.json")):
        try:
            status = msgspec.json.decode(path.read_bytes(), type=ShardStatus)
        except (FileNotFoundError, msgspec.DecodeError):
            continue  # gone between listing and reading
        if is_alive(status.pid):
            found.append(status)
    return found


def forget_dead(run_directory: Path) -> list[str]:
    """Remove the files of processes that died without doing so themselves; returns their shard ids."""
    found: list[str] = []
    for path in sorted(status_directory(run_directory).glob("*.*.*")):
        shard_id, _, pid = path.stem.rpartition(".")
        if pid.isdecimal() and not is_alive(int(pid)):
            path.unlink(missing_ok=True)
            found.append(shard_id)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process of ours with this id exists; one that belongs to another user isn't ours."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
