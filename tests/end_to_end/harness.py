"""The service as a test runs it: `tidemark run` as a child process, with the real KCL daemon below it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families

from consumer.commands.demo.service import service_environment
from consumer.pod.report import PodReport
from consumer.status import ShardStatus
from tests.end_to_end.stage import Stage
from tests.support.waiting import eventually

T = TypeVar("T")

PATIENCE_SECONDS = 90.0
"""Far more than anything here takes: a test that needs it has failed."""

_OK = 200
_ANSWER_SECONDS = 5.0
_TAIL_LINES = 60
_LINE_WIDTH = 400
"""The daemon writes a stack trace as one line."""


@dataclass(frozen=True, slots=True)
class Pids:
    """The processes of a pod that do the work; `shards` by shard id."""

    pod: int
    daemon: int | None
    shards: dict[str, int]


class Answer(NamedTuple):
    """An HTTP status and a text."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """What /metrics says, as Prometheus would read it."""

    samples: tuple[tuple[str, dict[str, str], float], ...]

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples of this name (with `_total`, where it is a counter) and these labels."""
        return sum(
            value for sample, has, value in self.samples if sample == name and labels.items() <= has.items()
        )


class Service:
    """A pod from its start to the end of the block, which ends it and all that it started.

    A failure inside the block is shown with the end of the service's log.
    """

    def __init__(
        self,
        stage: Stage,
        settings: Path | None = None,
        *,
        worker_id: str = "pod-a",
        environment: dict[str, str] | None = None,
        command: Sequence[str] = ("run", "--ops-host", "127.0.0.1"),
    ) -> None:
        """`settings`: stage.write_settings() where None; `environment` is added to the sandbox's.

        `command`: another one that serves, with what only it knows.
        """
        self._command = command
        self.worker_id = worker_id
        self._settings = settings or stage.write_settings()
        self._environment = {**service_environment(stage.sandbox.environment), **(environment or {})}
        self._directory = stage.directory / worker_id
        self._log = stage.directory / f"{worker_id}.log"
        self._family: set[psutil.Process] = set()
        self._process: subprocess.Popen[bytes]
        self._url: str | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._ops_file.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "consumer.cli", *self._command, "--config", str(self._settings)),
                    *("--worker-id", self.worker_id, "--ops-port", "0"),
                    *("--run-dir", str(self._directory), "--until-stdin-closes"),
                ],
                env=self._environment,
                stdin=subprocess.PIPE,  # its end stops the service, should the test's process be killed
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            tail = [line[:_LINE_WIDTH] for line in self.log()[-_TAIL_LINES:]]
            error.add_note("\n".join((f"The end of the log of {self.worker_id}:", *tail)))
        self.family()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        for process in self._family:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @property
    def is_running(self) -> bool:
        """Whether the pod's own process is there."""
        return self._process.poll() is None

    def get(self, path: str) -> Answer:
        """What the ops server says at a path; code 0 while it does not answer."""
        try:
            url = json.loads(self._ops_file.read_text(encoding="utf-8"))["url"]
            with urlopen(url + path, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - the pod's own address
                return Answer(answer.status, answer.read().decode("utf-8"))
        except HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode("utf-8"))
        except (OSError, HTTPException, json.JSONDecodeError):
            return Answer(0, "")

    def status(self) -> PodReport | None:
        """What /status says; None while it does not answer."""
        answer = self.get("/status")
        return msgspec.json.decode(answer.text, type=PodReport) if answer.code else None

    def shards(self) -> Sequence[ShardStatus]:
        """The shard processes that are alive, by shard."""
        status = self.status()
        return () if status is None else status.shards

    def metrics(self) -> Metrics:
        """What /metrics says; empty while it does not answer."""
        answer = self.get("/metrics")
        assert answer.code in (0, _OK), f"/metrics: {answer}"
        families = text_string_to_metric_families(answer.text)
        samples = [sample for family in families for sample in family.samples]
        return Metrics(tuple((sample.name, sample.labels, sample.value) for sample in samples))

    def settled(self) -> float:
        """Records settled in this pod's life, however they ended; each counts once a processor."""
        return self.metrics().total("tidemark_records_settled_total")

    @property
    def pids(self) -> Pids:
        """The pod's processes now; without a daemon and shards while /status does not answer."""
        self.family()
        status = self.status()
        if status is None:
            return Pids(self._process.pid, None, {})
        return Pids(
            self._process.pid, status.daemon.pid, {shard.shard_id: shard.pid for shard in status.shards}
        )

    def wait_until(self, condition: Callable[[], T], why: str, *, seconds: float = PATIENCE_SECONDS) -> T:
        """Return the first truthy answer; fails when there is none in time, or the pod has ended."""
        found = eventually(lambda: condition() or not self.is_running, within_seconds=seconds)
        if not self.is_running:
            raise AssertionError(f"the pod ended ({self._process.returncode}) while waiting until {why}")
        if not found:
            raise AssertionError(f"waited {seconds:.0f} s in vain until {why}; /status: {self.status()}")
        return found  # type: ignore[return-value]  # `True` stands for an ended pod only

    def wait_until_at_work(self, shards: int = 2) -> None:
        """Until so many shard processes have begun."""
        self.wait_until(
            lambda: [shard.state != "starting" for shard in self.shards()] == [True] * shards,
            f"{shards} shards are at work",
        )

    def wait_until_settled(self, count: float) -> None:
        """Until at least so many records are settled in this pod's life."""
        self.wait_until(lambda: self.settled() >= count, f"{count:.0f} records are settled")

    def stop(self) -> int:
        """SIGTERM, and wait for the drain; the exit code."""
        self.family()
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        try:
            return self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.worker_id} did not end within {PATIENCE_SECONDS:.0f} s") from None

    def kill(self) -> None:
        """SIGKILL of the pod's own process, and only it: what it started has to notice by itself."""
        self.family()
        self._process.kill()
        self._process.wait()

    def restarts(self) -> int:
        """How often the daemon was started again; 0 while /status does not answer."""
        status = self.status()
        return 0 if status is None else status.daemon.restarts

    def family(self) -> list[psutil.Process]:
        """The processes below the pod now: the daemon, and a process for each shard."""
        try:
            found = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self._family |= set(found)
        return found

    def survivors(self, of: Iterable[psutil.Process] | None = None) -> list[psutil.Process]:
        """Those that still run after a time to go; None: of all there were below the pod."""
        rest = set(self._family if of is None else of)
        eventually(lambda: not any(map(_runs, rest)), within_seconds=PATIENCE_SECONDS)
        return [process for process in rest if _runs(process)]

    def log(self) -> list[str]:
        """The lines of the log; pods of the same name write into the same."""
        return self._log.read_text(encoding="utf-8", errors="replace").splitlines()

    @property
    def _ops_file(self) -> Path:
        return self._directory / "ops.json"


def wait_until(condition: Callable[[], T], why: str, *, seconds: float = PATIENCE_SECONDS) -> T:
    """Return the first truthy answer; fails, with what was waited for, when there is none in time."""
    found = eventually(condition, within_seconds=seconds)
    assert found, f"waited {seconds:.0f} s in vain until {why}"
    return found


def sigkill(pid: int) -> None:
    """SIGKILL to a process that a test's pod started."""
    os.kill(pid, signal.SIGKILL)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # dead, if not waited for by whoever inherited it
    except psutil.NoSuchProcess:
        return False
