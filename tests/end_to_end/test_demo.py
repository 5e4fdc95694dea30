"""The demo as a person starts it: a process of its own, with the real daemon below it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
import psutil

PATIENCE_SECONDS = 150.0
"""Far more than anything here takes: a test that needs it has failed."""


class Demo:
    """`tidemark demo` as a child process, its output in a file."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.output = directory / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "consumer.cli", "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                env={**os.environ, "TMPDIR": str(directory)},
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def wait_until_it_says(self, text: str) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < ends, self.said()
            time.sleep(0.1)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def sandbox_endpoint(self) -> str:
        for process in self.family():
            endpoint = process.environ().get("AWS_ENDPOINT_URL")
            if endpoint is not None:
                return endpoint
        raise AssertionError(self.said())


@contextmanager
def demo(directory: Path, *arguments: str) -> Iterator[Demo]:
    running = Demo(directory, *arguments)
    family: list[psutil.Process] = []
    try:
        yield running
    finally:
        if running.process.poll() is None:
            family = running.family()
            running.process.kill()
            running.process.wait()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_the_read_model_is_exact_and_the_figures_are_told_and_written(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with demo(tmp_path, "--duration", "5", "--rate", "100", "--report", str(file)) as running:
        running.wait_until_it_says("writing orders")
        family = running.family()
        code = running.wait()
        said = running.said()

    assert code == 0, said
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["written"] >= 400
    assert report["settled"] >= report["written"]
    assert report["rows_expected"] == report["rows_matching"] > 0
    assert report["rows_differing"] == report["dead_letters"] == 0
    assert report["tombstones"] > 0
    assert 0 < report["arrival_to_settled_p50_seconds"] <= report["arrival_to_settled_p99_seconds"]
    assert report["first_settled_seconds"] > 0
    assert report["rate_reached"] > 50
    assert report["settled_in_time"] is True
    assert report["drain_seconds"] is not None
    assert re.search(r"^rows_matching +\d+$", said, re.MULTILINE)
    assert re.search(r"^/status +http://127\.0\.0\.1:\d+/status$", said, re.MULTILINE)
    assert psutil.wait_procs(family, timeout=PATIENCE_SECONDS)[1] == []


def test_ctrl_c_stops_the_writing_and_the_comparison_still_comes(tmp_path: Path) -> None:
    with demo(tmp_path, "--rate", "50") as running:
        running.wait_until_it_says("writing orders")
        running.process.send_signal(signal.SIGINT)
        code = running.wait()

        assert code == 0, running.said()
        assert "each as it is in the table" in running.said()
        assert "Traceback" not in running.said()


def test_a_row_too_many_in_the_read_model_is_shown_and_ends_with_1(tmp_path: Path) -> None:
    with demo(tmp_path, "--rate", "20") as running:
        running.wait_until_it_says("writing orders")
        put_a_row_that_no_order_has(running.sandbox_endpoint())
        running.process.send_signal(signal.SIGINT)
        code = running.wait()

        assert code == 1, running.said()
        assert "order-none: in the read model, but there is no such order" in running.said()
        assert "Rows that differ: 1" in running.said()


def test_nothing_outlives_a_demo_that_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path, "--rate", "50") as running:
        running.wait_until_it_says("writing orders")
        family = running.family()
        running.process.kill()
        running.process.wait()

        assert len(family) >= 4  # sandbox, pod, JVM, a shard process
        assert psutil.wait_procs(family, timeout=PATIENCE_SECONDS)[1] == []


def test_a_service_that_does_not_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        demo(tmp_path, "--ops-port", port_of(taken)) as running,
    ):
        code = running.wait()

        assert code == 1
        assert "The service ended by itself" in running.said()
        assert "address already in use" in running.said().lower()
        assert "Traceback" not in running.said().partition("The service ended")[0]


def port_of(listener: socket.socket) -> str:
    return str(listener.getsockname()[1])


def put_a_row_that_no_order_has(endpoint: str) -> None:
    stamp = {"v": {"N": "1"}, "p": {"S": "us"}, "d": {"S": "00"}}
    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - the sandbox takes any
    )
    client.put_item(TableName="order-view", Item={"orderId": {"S": "order-none"}, "_tidemark": {"M": stamp}})
