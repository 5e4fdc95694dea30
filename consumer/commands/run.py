"""`tidemark run`: one pod, from the checks to the drain."""

import asyncio
import fcntl
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from checkpoint.control import Controls
from checkpoint.guard import LeaderLockGuard
from consumer.aws.boto import default_region, endpoint_url
from consumer.aws.clients import Clients
from consumer.commands.waiting import until_prepared
from consumer.errors import SettingsError, Unavailable
from consumer.log import Logger, open_log, take_standard_logging
from consumer.metrics import metrics_directory
from consumer.pod.housekeeping import Chore, keep_house, renew_when_cut_over
from consumer.pod.ops import Pod, serve_ops
from consumer.pod.plans import SHARD_MODULE, write_plans
from consumer.pod.start import prepare
from consumer.pod.supervisor import Supervisor
from consumer.settings.context import ShardContext
from consumer.settings.homes import store_of
from consumer.settings.model import Settings
from consumer.status import status_directory
from consumer.stores.opened import Stores, open_stores

Beside = Callable[[Pod, ShardContext, Stores, Logger], AbstractAsyncContextManager[Chore]]
"""Open while a daemon runs; gives what the pod looks at every few seconds."""

_RELEASE_SECONDS = 5.0


async def run(
    settings: Settings,
    worker_id: str,
    ops_host: str,
    ops_port: int,
    run_dir: Path | None = None,
    *,
    shard_module: str = SHARD_MODULE,
    beside: Beside | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; to be run in the main thread.

    Args:
        settings: tidemark.yaml.
        worker_id: the pod's stable name: its leases are its own again after a restart.
        ops_host: address of /metrics, /healthz, /readyz and /status.
        ops_port: 0 takes any that is free; it stands in the log and in `ops.json` of the run directory.
        run_dir: default: a temporary directory, removed at the end.
        shard_module: what the daemon executes for each lease: a benchmark brings its own.
        beside: what is done while the daemon runs; default: look whether a processor was cut over.

    Returns:
        The exit code: 0 after a clean drain, else 1.

    Raises:
        SettingsError: something a person has to put right.
    """
    log = open_log(room="pod", worker=worker_id)
    take_standard_logging(log)
    with _run_directory(run_dir) as directory:
        supervisor = Supervisor(directory, grace_seconds=settings.kcl.shutdown_grace, log=log)
        for stopping in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(stopping, supervisor.stop)
        pod = Pod(
            application=settings.application,
            worker_id=worker_id,
            version=version("tidemark"),
            run_directory=directory,
            supervisor=supervisor,
            started_at=time.time(),
            stores={processor.name: store_of(processor) for processor in settings.processors},
        )
        async with serve_ops(pod, ops_host, ops_port) as url, open_stores(endpoint_url) as stores:
            log.info("serving /status, /metrics, /healthz and /readyz", url=url, run_directory=str(directory))
            while True:
                context = await until_prepared(
                    pod, partial(_prepared, pod, settings, stores, log), log, random.random
                )
                if context is None:
                    return 0
                launch = write_plans(context, directory, os.environ, shard_module)
                pod.waiting_for, pod.halted = None, tuple(context.halted.values())
                guard = _guard(context, stores.aws)
                async with (
                    (beside or _watching)(pod, context, stores, log) as chore,
                    _housekeeping(pod, guard, log, chore),
                ):
                    is_clean = await supervisor.run(launch, partial(_release, guard))
                goes_on = supervisor.is_to_go_on()
                await _release(guard)
                if not goes_on:
                    return 0 if is_clean else 1


async def _prepared(pod: Pod, settings: Settings, stores: Stores, log: Logger) -> ShardContext:
    return await prepare(
        settings,
        stores,
        worker_id=pod.worker_id,
        region=default_region(),
        endpoint_url=endpoint_url,
        log=log,
    )


@asynccontextmanager
async def _watching(pod: Pod, context: ShardContext, stores: Stores, log: Logger) -> AsyncIterator[Chore]:
    controls = Controls(stores.aws.client("dynamodb", context.region), context.settings.application)
    yield renew_when_cut_over(pod, controls, context, log)


async def _release(guard: LeaderLockGuard) -> None:
    """Give up the lock of a daemon of ours that is gone.

    Our next one is as strange to it as any other's, and would assign no new lease until it has expired.
    """
    with suppress(Unavailable, TimeoutError):  # then others' guards delete it, later
        async with asyncio.timeout(_RELEASE_SECONDS):
            await guard.release()


@contextmanager
def _run_directory(wanted: Path | None) -> Iterator[Path]:
    """An empty run directory of our own, held against a second pod that would mix its processes with ours."""
    directory = wanted or Path(tempfile.mkdtemp(prefix="tidemark-"))
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"--run-dir {directory} is another pod's that still runs; name another"
            ) from None
        for part in (status_directory(directory), metrics_directory(directory)):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        try:
            yield directory.resolve()
        finally:
            if wanted is None:
                shutil.rmtree(directory, ignore_errors=True)


def _guard(context: ShardContext, clients: Clients) -> LeaderLockGuard:
    return LeaderLockGuard(
        clients.client("dynamodb", context.region),
        context.settings.application,
        worker_id=context.worker_id,
        failover_time=context.settings.kcl.failover_time,
        clock=time.monotonic,
    )


@asynccontextmanager
async def _housekeeping(pod: Pod, guard: LeaderLockGuard, log: Logger, chore: Chore) -> AsyncIterator[None]:
    keeping = asyncio.create_task(keep_house(pod, guard, log, chore))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
