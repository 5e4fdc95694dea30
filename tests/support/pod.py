"""`tidemark run` as a child process, with the real daemon below it, for the end-to-end tests."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.support.waiting import eventually

PATIENCE_SECONDS = 90.0
"""Far more than anything here takes on two cores: a test that needs it has failed."""

FAST_KCL = {
    "failover_time": "2s",
    "lease_assignment_interval": "1s",
    "idle_time_between_reads": "200ms",
    "shard_sync_interval": "2s",
    "parent_shard_poll_interval": "500ms",
    "shutdown_grace": "10s",
}
"""Settings of `kcl` that make the daemon as quick as it can be."""


class PodProcess:
    """One pod. As a context manager it is killed at the end, and its daemon with it, if it still runs.

    Args:
        directory: for its files; two pods need two.
        settings: what tidemark.yaml holds.
        environment: what the sandbox says of AWS.
        worker_id: the pod's stable name.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any],
        environment: Mapping[str, str],
        worker_id: str = "pod-0",
    ) -> None:
        self.run_directory = directory / "run"
        self.log_file = directory / "pod.log"
        file = directory / "tidemark.yaml"
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        (self.run_directory / "ops.json").unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "consumer.cli", "run", "--config", str(file)),
                    *("--worker-id", worker_id, "--run-dir", str(self.run_directory)),
                    *("--ops-host", "127.0.0.1", "--ops-port", "0"),
                ],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()

    def drain(self) -> int:
        """SIGTERM, as Kubernetes does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(PATIENCE_SECONDS)

    def get(self, path: str) -> tuple[int, str]:
        """HTTP status and text of an ops endpoint; (0, "") while it does not answer."""
        try:
            url = json.loads((self.run_directory / "ops.json").read_bytes())["url"]
            with urllib.request.urlopen(url + path, timeout=10) as reply:  # noqa: S310 - our own server
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, ValueError, HTTPException):
            return 0, ""

    def status(self) -> dict[str, Any]:
        """The document at /status; empty while it does not answer."""
        code, text = self.get("/status")
        return json.loads(text) if code else {}

    def until_running(self, shards: Iterable[str], restarts: int = 0) -> dict[str, Any]:
        """Wait until exactly these shards run, after so many restarts of the daemon; gives /status then."""
        wanted = sorted(shards)

        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.log()
            status = self.status()
            running = [shard["shard_id"] for shard in status.get("shards", ()) if shard["state"] == "running"]
            is_it = sorted(running) == wanted and status["daemon"]["restarts"] == restarts
            return status if is_it and status["daemon"]["state"] == "running" else None

        found = eventually(look, within_seconds=PATIENCE_SECONDS)
        assert found, self.log()
        return found

    def processes(self) -> list[psutil.Process]:
        """Its daemon and shard processes, while it lives."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def log(self) -> str:
        """All it wrote so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


def all_gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether none of them runs, within the patience of a test."""
    rest = list(processes)
    return eventually(lambda: not any(map(_runs, rest)), within_seconds=PATIENCE_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # a dead one, not waited for by whoever inherited it
    except psutil.NoSuchProcess:
        return False
