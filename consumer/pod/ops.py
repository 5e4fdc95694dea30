"""/metrics, /healthz, /readyz, /status and the status page, served inside the supervisor's event loop.

Nothing here asks who is calling: the address it is bound to decides who can.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consumer.errors import SettingsError
from consumer.metrics import CONTENT_TYPE, PodMetrics, expose
from consumer.pod import report
from consumer.pod.adrift import Adrift
from consumer.pod.page import render
from consumer.pod.report import PodReport
from consumer.pod.supervisor import Supervisor
from consumer.status import read_statuses

_UNAVAILABLE = 503


@dataclass(slots=True)
class Pod:
    """What the endpoints tell of; `waiting_for` is the reason why the daemon can't be started yet."""

    application: str
    worker_id: str
    version: str
    run_directory: Path
    supervisor: Supervisor
    started_at: float
    clock: Callable[[], float] = time.time
    waiting_for: str | None = "the settings are being checked against AWS"
    adrift: Adrift = field(default_factory=Adrift)
    halted: Sequence[str] = ()
    """A sentence for each processor that these settings may not run."""
    stores: Mapping[str, str] = field(default_factory=dict)
    """By processor name, what tells its store from others."""

    def report(self) -> PodReport:
        """The pod now, for /status."""
        daemon, shards, now = self.supervisor.status, read_statuses(self.run_directory), self.clock()
        return PodReport(
            application=self.application,
            worker=self.worker_id,
            version=self.version,
            now=now,
            started_at=self.started_at,
            ready=report.is_ready(daemon, self.waiting_for) and not self.halted,
            waiting_for=self.waiting_for,
            daemon=daemon,
            shards=shards,
            totals=report.totals(shards),
            lag_seconds=report.largest_lag(shards, self.adrift.lags(shards, now)),
            problems=[
                *self.halted,
                *report.problems(
                    daemon, shards, self.waiting_for, now, adrift=self.adrift, stores=self.stores
                ),
            ],
        )

    def health_problems(self) -> list[str]:
        """Why a probe should have the pod restarted; none where it is well."""
        return report.health_problems(self.supervisor.status, read_statuses(self.run_directory), self.clock())

    def metrics(self) -> bytes:
        """Prometheus' text format."""
        shards = read_statuses(self.run_directory)
        own = PodMetrics(
            daemon_restarts=self.supervisor.status.restarts,
            shards_owned=len(shards),
            version=self.version,
            lags=self.adrift.lags(shards, self.clock()),
        )
        return expose(self.run_directory, own)


def make_application(pod: Pod) -> Starlette:
    """The ASGI application. Endpoints are plain functions: they read files, and so run in a thread."""

    def metrics(_: Request) -> Response:
        return Response(pod.metrics(), media_type=CONTENT_TYPE)

    def healthz(_: Request) -> Response:
        return _verdict(pod.health_problems())

    def readyz(_: Request) -> Response:
        status = pod.report()
        if status.ready:
            return _verdict([])
        if report.is_ready(status.daemon, status.waiting_for):
            return _verdict([*pod.halted])
        return _verdict([status.waiting_for or f"the daemon is {status.daemon.state}"])

    def status(_: Request) -> Response:
        return Response(msgspec.json.encode(pod.report()), media_type="application/json")

    def page(_: Request) -> Response:
        return HTMLResponse(render(pod.report()))

    routes = (
        ("/", page),
        ("/metrics", metrics),
        ("/healthz", healthz),
        ("/readyz", readyz),
        ("/status", status),
    )
    return Starlette(routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in routes])


def _verdict(problems: list[str]) -> Response:
    if not problems:
        return PlainTextResponse("ok\n")
    return PlainTextResponse("\n".join(problems) + "\n", status_code=_UNAVAILABLE)


class _Server(uvicorn.Server):
    """uvicorn, but signals stay the supervisor's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_ops(pod: Pod, host: str, port: int) -> AsyncIterator[str]:
    """Serve while the block runs; gives the address, http://HOST:PORT, and writes it to `ops.json`.

    Raises:
        SettingsError: the address can't be bound.
    """
    bound = _bind(host, port)
    url = f"http://{_in_url(host)}:{bound.getsockname()[1]}"
    (pod.run_directory / "ops.json").write_text(json.dumps({"url": url}) + "\n", encoding="utf-8")
    server = _Server(
        uvicorn.Config(
            make_application(pod),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield url
    finally:
        server.should_exit = True
        await serving


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(
            f"the ops server can't listen on {host}:{port}: {error.strerror};"
            " choose another address by --ops-host and --ops-port"
        ) from None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
