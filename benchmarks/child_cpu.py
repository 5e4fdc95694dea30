"""CPU of a shard process per record, ours and stock kclpy: a scripted daemon feeds both the same lines."""

import json
import os
import statistics
import subprocess
import sys
import time

import psutil

from benchmarks.records import envelopes, messages
from benchmarks.stage import Stage, open_stage

_RECORDS = 100_000
_ROUNDS = 3


def measure() -> dict[str, float]:
    """Medians of a few alternating rounds; start-up is taken off both, by a run without records."""
    lines = list(messages(envelopes(_RECORDS), arrived_at_ms=int(time.time() * 1000)))
    with open_stage("bench-cpu") as stage:
        ours = _Rounds("benchmarks.noop_child", stage)
        stock = _Rounds("benchmarks.stock_child", stage)
        for _ in range(_ROUNDS):
            for peer in (stock, ours):
                peer.play(lines)
    return {
        "stock_microseconds_per_record": stock.microseconds,
        "ours_microseconds_per_record": ours.microseconds,
        "stock_records_per_cpu_second": 1e6 / stock.microseconds,
        "ours_records_per_cpu_second": 1e6 / ours.microseconds,
        "ours_idle_megabytes": ours.idle_megabytes,
        "stock_idle_megabytes": stock.idle_megabytes,
        "times_stock": stock.microseconds / ours.microseconds,
    }


class _Rounds:
    """One peer's measurements."""

    def __init__(self, module: str, stage: Stage) -> None:
        self._module = module
        self._stage = stage
        self._costs: list[float] = []
        self.idle_megabytes = 0.0

    def play(self, lines: list[bytes]) -> None:
        """One run without records and one with all of them."""
        idle, busy = self._run([]), self._run(lines)
        self._costs.append((busy - idle) / _RECORDS * 1e6)

    @property
    def microseconds(self) -> float:
        """Of CPU, for a record."""
        return statistics.median(self._costs)

    def _run(self, lines: list[bytes]) -> float:
        """CPU seconds of the process from its start to its end."""
        with subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._stage.environment,
        ) as child:
            daemon = _ScriptedDaemon(child)
            daemon.say(
                {
                    "action": "initialize",
                    "shardId": "shardId-000000000000",
                    "sequenceNumber": "TRIM_HORIZON",
                    "subSequenceNumber": 0,
                }
            )
            self.idle_megabytes = psutil.Process(child.pid).memory_info().rss / 2**20
            for line in lines:
                daemon.say_line(line)
            daemon.say({"action": "shutdownRequested"})  # drains what is delivered in the background
            daemon.say({"action": "leaseLost"})
            daemon.close()
            _, _, usage = os.wait4(child.pid, 0)
            child.returncode = 0
        return usage.ru_utime + usage.ru_stime


class _ScriptedDaemon:
    """Our end of a child's pipes; accepts every checkpoint."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is None or child.stdout is None:
            raise TypeError("the child has no pipes")
        self._to_child, self._from_child = child.stdin, child.stdout

    def say(self, message: dict[str, str | int]) -> None:
        self.say_line(json.dumps(message).encode() + b"\n")

    def say_line(self, line: bytes) -> None:
        """Send a message and wait for its answer, as the daemon does."""
        self._to_child.write(line)
        self._to_child.flush()
        while True:
            heard = self._from_child.readline()
            if not heard:
                raise RuntimeError("the child ended in the middle of a message")
            if heard == b"\n":
                continue
            answer = json.loads(heard)
            if answer["action"] == "status":
                return
            accepted = {
                "action": "checkpoint",
                "sequenceNumber": answer["sequenceNumber"],
                "subSequenceNumber": answer["subSequenceNumber"],
                "error": None,
            }
            self._to_child.write(json.dumps(accepted).encode() + b"\n")
            self._to_child.flush()

    def close(self) -> None:
        """The end of the tenure."""
        self._to_child.close()
