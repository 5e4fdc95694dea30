"""Runs every benchmark; prints a table and, with --json FILE, writes the figures."""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import catch_up, child_cpu, conditional_writes, demo, stuck_sink
from benchmarks.read_models import measure as read_models

_BENCHMARKS: dict[str, Callable[[], dict[str, float]]] = {
    "demo": demo.measure,
    "catch_up": catch_up.measure,
    "child_cpu": child_cpu.measure,
    "conditional_writes": conditional_writes.measure,
    "stuck_sink": stuck_sink.measure,
    "read_models": read_models.measure,
}
_AIMS = {
    "demo.first_settled_seconds": "8 or less",
    "demo.arrival_to_settled_p50_seconds": "below 1",
    "demo.arrival_to_settled_p99_seconds": "below 1",
    "child_cpu.times_stock": "5 or more",
    "child_cpu.ours_idle_megabytes": "below 60",
    "catch_up.ours_shard_process_peak_megabytes": "below 60",
    "conditional_writes.writes_per_second": "4,000 or more",
    "conditional_writes.cpu_seconds_per_100_000": "below 25",
    "conditional_writes.times_serial": "25 or more",
    "stuck_sink.silent_peak_megabytes": "below 150",
    "stuck_sink.failing_peak_megabytes": "below 150",
    "stuck_sink.silent_cpu_percent": "below 1",
    "stuck_sink.failing_cpu_percent": "below 1",
    "stuck_sink.idle_cpu_percent": "below 1",
    "read_models.postgresql_times_naive": "10 or more",
    "read_models.postgresql_1_ms_away_times_naive": "10 or more",
    "read_models.opensearch_times_naive": "10 or more",
    "read_models.dynamodb_sums_times_naive": "5 or more",
    "read_models.postgresql_sums_times_naive": "5 or more",
    "read_models.postgresql_1_ms_away_sums_times_naive": "5 or more",
}


def main() -> None:
    """Measure what is asked for: everything, or the benchmarks named."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(_BENCHMARKS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(_BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(_BENCHMARKS)}")
    console = Console()
    figures: dict[str, dict[str, float]] = {}
    for name in arguments.names or _BENCHMARKS:
        console.print(f"{name} …", highlight=False)
        figures[name] = _BENCHMARKS[name]()
    console.print(_table(figures))
    if arguments.json is not None:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "at": time.time()}
        arguments.json.write_text(json.dumps({"machine": machine, **figures}, indent=2), encoding="utf-8")


def _table(figures: dict[str, dict[str, float]]) -> Table:
    table = Table("figure", "measured", "aim")
    table.columns[1].justify = "right"
    for name, measured in figures.items():
        for figure, value in measured.items():
            label = f"{name}.{figure}"
            table.add_row(label, f"{value:,.3f}" if value < 100 else f"{value:,.0f}", _AIMS.get(label, ""))  # noqa: PLR2004 - three figures are enough
    return table


if __name__ == "__main__":
    main()
