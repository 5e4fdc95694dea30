"""The service as the demo sees it: a child process, its log, and what it answers over HTTP."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import msgspec

from consumer.commands.demo.figures import Counts, read_metrics
from consumer.errors import TidemarkError
from consumer.status import ShardStatus

_HOST = "127.0.0.1"
_ANSWER_SECONDS = 5.0
_LOG_TAIL_LINES = 25
_KILL_WAIT_SECONDS = 10.0


class ServiceError(TidemarkError):
    """The service did not do its part; the text has the end of its log."""


class Daemon(msgspec.Struct, frozen=True):
    """The KCL daemon, as /status tells it."""

    state: str = "unknown"
    restarts: int = 0


class Status(msgspec.Struct, frozen=True):
    """What the demo shows of /status."""

    daemon: Daemon = Daemon()
    shards: tuple[ShardStatus, ...] = ()

    @property
    def lag_seconds(self) -> float | None:
        """The longest lag of a shard; None while one of them does not know it, or there is none."""
        lags = [shard.lag_seconds for shard in self.shards]
        known = [lag for lag in lags if lag is not None]
        return max(known) if known and len(known) == len(lags) else None


@dataclass(frozen=True, slots=True)
class Account:
    """What the service said of itself at one moment."""

    status: Status = field(default_factory=Status)
    counts: Counts = field(default_factory=Counts)


class Service:
    """`tidemark run` as a child, in a session of its own: a terminal's Ctrl-C is for the demo alone."""

    def __init__(
        self, directory: Path, settings: Path, environment: Mapping[str, str], ops_port: int
    ) -> None:
        port = ops_port or _free_port()
        self.url = f"http://{_HOST}:{port}"
        self.log = directory / "service.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "consumer.cli", "run", "--config", str(settings)),
                    *("--worker-id", "demo", "--ops-host", _HOST, "--ops-port", str(port)),
                    *("--run-dir", str(directory / "run"), "--until-stdin-closes"),
                ],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.PIPE,  # its end tells the service that the demo is gone, however it went
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """See that it runs; raises ServiceError, with the end of its log, if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise self.failure(f"The service ended by itself (exit code {code}).")

    def failure(self, what: str) -> ServiceError:
        """An error that says what happened and shows the end of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        shown = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        return ServiceError(f"{what} The end of its log, {self.log}:\n{shown}")

    async def account(self) -> Account | None:
        """Ask for /status and /metrics; None while it does not answer."""
        try:
            status, metrics = await asyncio.gather(
                asyncio.to_thread(_get, f"{self.url}/status"), asyncio.to_thread(_get, f"{self.url}/metrics")
            )
        except (OSError, HTTPException):
            return None
        return Account(msgspec.json.decode(status, type=Status), read_metrics(metrics.decode("utf-8")))

    async def drain(self, seconds: float) -> bool:
        """SIGTERM, and wait for it to settle what it holds; whether it ended well and in time."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self._process.wait, seconds) == 0
        except subprocess.TimeoutExpired:
            return False

    def close(self) -> None:
        """End it, if it has not ended: it stops once its standard input closes, or else is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_KILL_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def service_environment(sandbox: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with the sandbox in place of all it says of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **nothing, **sandbox}


def _get(url: str) -> bytes:
    with urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - our own http address
        content: bytes = answer.read()
    return content


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
