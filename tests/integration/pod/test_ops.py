"""The ops server over HTTP, around a supervisor that minds a process or none."""

import asyncio
import io
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from consumer.errors import SettingsError
from consumer.log import open_log
from consumer.metrics import metrics_directory
from consumer.pod.ops import Pod, serve_ops
from consumer.pod.supervisor import DaemonState, Launch, Supervisor
from consumer.status import status_directory, write_status
from tests.support.waiting import eventually
from tests.unit.pod.conftest import make_shard

HOST = "127.0.0.1"
SLEEPER = Launch((sys.executable, "-c", "import time; time.sleep(600)"), os.environ)


class Reply(NamedTuple):
    status: int
    kind: str
    text: str


def fetch(url: str) -> Reply:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - our own server
            return Reply(reply.status, reply.headers["content-type"], reply.read().decode())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.headers["content-type"], error.read().decode())


class Ops:
    """A served pod."""

    def __init__(self, pod: Pod, url: str) -> None:
        self.pod = pod
        self.url = url

    async def get(self, path: str) -> Reply:
        return await asyncio.to_thread(fetch, self.url + path)

    async def until(self, state: DaemonState) -> None:
        assert await asyncio.to_thread(eventually, lambda: self.pod.supervisor.status.state == state)

    async def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((await self.get("/status")).text)
        return document

    def write_shard(self, **changes: Any) -> None:  # noqa: ANN401 - any field
        shard = make_shard(pid=os.getpid(), **{"ticked_at": time.time(), **changes})
        write_status(self.pod.run_directory, shard)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    status_directory(tmp_path).mkdir()
    metrics_directory(tmp_path).mkdir()
    return Pod(
        application="shop-orders",
        worker_id="pod-0",
        version="1.2.3",
        run_directory=tmp_path,
        supervisor=Supervisor(tmp_path, grace_seconds=1.0, log=open_log(io.BytesIO())),
        started_at=time.time(),
    )


@pytest_asyncio.fixture
async def ops(pod: Pod) -> AsyncIterator[Ops]:
    async with serve_ops(pod, HOST, 0) as url:
        yield Ops(pod, url)


@pytest_asyncio.fixture
async def running(ops: Ops) -> AsyncIterator[Ops]:
    """With a daemon, and nothing more to wait for."""
    task = asyncio.create_task(ops.pod.supervisor.run(SLEEPER))
    await ops.until("running")
    ops.pod.waiting_for = None
    yield ops
    ops.pod.supervisor.stop()
    await task


async def test_a_pod_that_still_asks_aws_is_healthy_but_not_ready(ops: Ops) -> None:
    assert (await ops.get("/healthz")).status == HTTPStatus.OK
    reply = await ops.get("/readyz")

    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "checked against AWS" in reply.text


async def test_a_warm_stand_by_without_a_lease_is_ready(running: Ops) -> None:
    assert (await running.get("/readyz")).status == HTTPStatus.OK
    assert (await running.get("/healthz")).status == HTTPStatus.OK


async def test_a_pod_whose_daemon_nobody_minds_is_neither_healthy_nor_ready(running: Ops) -> None:
    running.pod.supervisor.stop()
    await running.until("stopped")

    assert (await running.get("/healthz")).status == HTTPStatus.SERVICE_UNAVAILABLE
    assert (await running.get("/readyz")).status == HTTPStatus.SERVICE_UNAVAILABLE


async def test_a_silent_shard_process_makes_the_pod_unhealthy_and_is_named(running: Ops) -> None:
    running.write_shard(shard_id="shard-7", ticked_at=time.time() - 40)
    reply = await running.get("/healthz")

    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "shard-7" in reply.text


async def test_a_parked_shard_is_healthy_and_says_what_to_do(running: Ops) -> None:
    running.write_shard(state="parked", message="records may be missing")

    assert (await running.get("/healthz")).status == HTTPStatus.OK
    assert (await running.status())["problems"] == ["shardId-000000000000: records may be missing"]


async def test_status_tells_of_the_pod_the_daemon_and_each_shard(running: Ops) -> None:
    running.write_shard(lag_seconds=1.5)
    status = await running.status()

    assert (status["application"], status["worker"], status["ready"]) == ("shop-orders", "pod-0", True)
    assert status["daemon"]["state"] == "running"
    assert status["daemon"]["pid"] == running.pod.supervisor.status.pid
    assert [shard["shard_id"] for shard in status["shards"]] == ["shardId-000000000000"]
    assert status["lag_seconds"] == 1.5
    assert status["totals"]["outcomes"] == {"applied": 7, "stale": 1}


async def test_shards_of_dead_processes_are_not_told_of(running: Ops) -> None:
    write_status(running.pod.run_directory, make_shard(pid=2**22 - 1))

    assert (await running.status())["shards"] == []


async def test_metrics_are_in_prometheus_text_format(running: Ops) -> None:
    running.write_shard()
    reply = await running.get("/metrics")

    assert reply.kind.startswith("text/plain; version=0.0.4")
    assert "tidemark_shards_owned 1.0" in reply.text
    assert "tidemark_daemon_restarts_total 0.0" in reply.text
    assert 'tidemark_build_info{version="1.2.3"} 1.0' in reply.text


async def test_the_page_is_html_and_names_the_application(running: Ops) -> None:
    reply = await running.get("/")

    assert reply.kind.startswith("text/html")
    assert "<h1>shop-orders</h1>" in reply.text


async def test_any_free_port_is_written_to_the_run_directory(ops: Ops) -> None:
    written = json.loads((ops.pod.run_directory / "ops.json").read_text())

    assert written == {"url": ops.url}


async def test_a_port_that_is_taken_is_a_setting_to_put_right(pod: Pod) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"{HOST}:{port}.*--ops-port"):
            async with serve_ops(pod, HOST, port):
                pass
