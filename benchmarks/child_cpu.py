"""CPU of a shard process per record, ours and stock kclpy: a scripted daemon feeds both the same lines."""

import statistics
import time

from benchmarks.records import envelopes, messages
from benchmarks.scripted_daemon import open_child
from benchmarks.stage import Stage, open_stage

_RECORDS = 100_000
_ROUNDS = 3


def measure() -> dict[str, float]:
    """Medians of a few alternating rounds, from the first record to the end of the shard."""
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
        """One shard, from its first record until all are settled."""
        with open_child(self._module, self._stage) as daemon:
            self.idle_megabytes = daemon.megabytes
            before = daemon.cpu_seconds
            for line in lines:
                daemon.say_line(line)
            daemon.end_shard()
            self._costs.append((daemon.cpu_seconds - before) / _RECORDS * 1e6)

    @property
    def microseconds(self) -> float:
        """Of CPU, for a record."""
        return statistics.median(self._costs)
