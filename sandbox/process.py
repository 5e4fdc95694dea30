"""The sandbox as a child process, for whoever wants an interpreter of their own: tests, demo, benchmarks."""

import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from sandbox.control_client import call
from sandbox.errors import SandboxStartError
from sandbox.faults.client import FaultClient

START_SECONDS = 30.0
STOP_SECONDS = 10.0
REGION = "us-east-1"


@dataclass(slots=True)
class SandboxProcess:
    """Runs `python -m sandbox` as a context manager; the child ends with its parent, even by SIGKILL.

    `endpoint` (http://127.0.0.1:PORT) and what hangs on it may be used once it is entered. Entering raises
    SandboxStartError, with what the child said, when it does not serve within START_SECONDS.
    """

    port: int = 0
    seed: int = 0
    ttl_interval_seconds: float = 1.0
    endpoint: str = field(init=False)
    _process: subprocess.Popen[str] = field(init=False)
    _stderr: IO[str] = field(init=False)

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile(mode="w+", prefix="sandbox-")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sandbox", "--until-stdin-closes"),
                *("--port", str(self.port), "--seed", str(self.seed)),
                *("--ttl-interval", str(self.ttl_interval_seconds)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for whoever holds the sandbox to answer
        )
        try:
            self.endpoint = self._announced()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def faults(self) -> FaultClient:
        """Its fault switch."""
        return FaultClient(self.endpoint)

    def trim(self, stream: str, *, shard: str | None = None, before: str | None = None) -> int:
        """Drop a stream's oldest records, as retention would, and return how many.

        `before` is the first sequence number that is kept, None to keep none; `shard` None means all shards.
        """
        request = {"stream": stream, "shard": shard, "before_sequence_number": before, "all": before is None}
        dropped: int = call(self.endpoint, "POST", "/trim", request)["dropped"]
        return dropped

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 and the KCL daemon need in their environment to reach the sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        """End the child: its stdin closes, and it is killed if it has not ended STOP_SECONDS later."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()

    def _announced(self) -> str:
        stdout = self._process.stdout
        if stdout is None or not select.select([stdout], [], [], START_SECONDS)[0]:
            raise SandboxStartError(f"The sandbox did not serve within {START_SECONDS:.0f} s. {self._said()}")
        line = stdout.readline()
        if not line:
            code = self._process.wait(STOP_SECONDS)
            raise SandboxStartError(f"The sandbox ended at its start (exit code {code}). {self._said()}")
        endpoint: str = json.loads(line)["endpoint"]
        return endpoint

    def _said(self) -> str:
        self._stderr.flush()
        self._stderr.seek(0, os.SEEK_SET)
        said = self._stderr.read().strip()
        return f"It said:\n{said}" if said else "It said nothing."
