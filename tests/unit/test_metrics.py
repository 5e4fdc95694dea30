"""Figures are made in child processes here, as in the service: the library chooses its mode at import."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.metrics import (
    METRICS_DIRECTORY_VARIABLE,
    PodMetrics,
    expose,
    forget_dead_processes,
    metrics_directory,
)
from consumer.status import is_alive

POD = PodMetrics(daemon_restarts=2, shards_owned=3, version="1.2.3")
REPORT_AND_WAIT = """
import sys
from consumer.metrics import Metrics
metrics = Metrics()
shard = sys.argv[1]
metrics.records_received.inc(5)
metrics.records_settled.labels(processor="view", outcome="applied").inc(4)
metrics.lag_seconds.labels(shard=shard).set(1.5)
metrics.arrival_to_settled_seconds.labels(processor="view").observe(0.02)
print("ready", flush=True)
sys.stdin.read()
"""


def start_reporter(run_directory: Path, shard: str) -> "subprocess.Popen[str]":
    environment = os.environ | {METRICS_DIRECTORY_VARIABLE: str(metrics_directory(run_directory))}
    child = subprocess.Popen(
        [sys.executable, "-c", REPORT_AND_WAIT, shard],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def samples(exposed: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposed.decode())
        for sample in family.samples
    }


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    metrics_directory(tmp_path).mkdir()
    return tmp_path


def test_a_pod_without_shards_reports_its_own_figures(run_directory: Path) -> None:
    assert samples(expose(run_directory, POD)) == {
        ("tidemark_daemon_restarts_total", ()): 2,
        ("tidemark_shards_owned", ()): 3,
        ("tidemark_build_info", (("version", "1.2.3"),)): 1,
    }


def test_counters_of_a_dead_process_are_kept_and_its_gauges_go(run_directory: Path) -> None:
    with start_reporter(run_directory, "shard-0") as dead, start_reporter(run_directory, "shard-1") as alive:
        both = samples(expose(run_directory, POD))
        dead.communicate()
        forget_dead_processes(run_directory, is_alive)
        after = samples(expose(run_directory, POD))
        alive.communicate()

    assert both["tidemark_lag_seconds", (("shard", "shard-0"),)] == 1.5
    assert both["tidemark_records_received_total", ()] == 10
    assert ("tidemark_lag_seconds", (("shard", "shard-0"),)) not in after
    assert after["tidemark_lag_seconds", (("shard", "shard-1"),)] == 1.5
    assert after["tidemark_records_received_total", ()] == 10
    assert after["tidemark_records_settled_total", (("outcome", "applied"), ("processor", "view"))] == 8
    assert after["tidemark_arrival_to_settled_seconds_count", (("processor", "view"),)] == 2


def test_a_lag_the_pod_tells_of_stands_beside_those_of_the_shard_processes(run_directory: Path) -> None:
    with start_reporter(run_directory, "shard-0") as alive:
        exposed = expose(run_directory, replace(POD, lags={"shard-0": 29.0, "shard-1": 30.0}))
        alive.communicate()

    assert samples(exposed)["tidemark_lag_seconds", (("shard", "shard-0"),)] == 1.5
    assert samples(exposed)["tidemark_lag_seconds", (("shard", "shard-1"),)] == 30.0
    assert exposed.count(b"# TYPE tidemark_lag_seconds gauge") == 1
    assert exposed.count(b'tidemark_lag_seconds{shard="shard-0"}') == 1


def test_a_file_that_a_shard_process_has_only_just_made_costs_nobody_else_its_figures(
    run_directory: Path,
) -> None:
    with start_reporter(run_directory, "shard-0") as alive:
        (metrics_directory(run_directory) / "counter_4194305.db").touch()  # past the largest pid
        exposed = expose(run_directory, POD)
        alive.communicate()

    assert samples(exposed)["tidemark_records_received_total", ()] == 5
