"""What the KCL daemon executes for each shard lease it holds."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from checkpoint.checkpointer import Checkpointer
from consumer.log import Logger, open_log, take_standard_logging
from consumer.metrics import Metrics
from consumer.processors.build import BuildProcessor, build_processor
from consumer.settings.context import RUN_DIRECTORY_VARIABLE, ShardContext, read_context
from consumer.shard.delivery import ShardDelivery
from consumer.shard.kcl import Daemon
from consumer.shard.tenure import Tenure
from consumer.status import remove_status
from consumer.stores.opened import open_stores

_DRAIN_SHARE = 0.6
"""The part of KCL's grace that waits for deliveries; the rest is for the checkpoint and the lease."""

_COLLECT_EVERY_OBJECTS = 10_000
"""Records are no cycles: Python's 700 look through them again and again, 6 % of the CPU (measured)."""


def main(build: BuildProcessor = build_processor) -> None:
    """Serve one lease; never returns.

    `build` makes the processors: the benchmarks bring one that does nothing.
    """
    # The protocol keeps the real standard output: whatever a library prints must not get between its lines.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for ignored in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)  # only the daemon ends us, by closing the pipe
    gc.set_threshold(_COLLECT_EVERY_OBJECTS)
    log = open_log(room="shard", pid=os.getpid())
    take_standard_logging(log)
    run_directory = Path(os.environ[RUN_DIRECTORY_VARIABLE])
    context = read_context(run_directory)
    asyncio.run(_serve(context, run_directory, outgoing, log, build))


async def _serve(
    context: ShardContext, run_directory: Path, outgoing: BinaryIO, log: Logger, build: BuildProcessor
) -> None:
    loop = asyncio.get_running_loop()
    metrics = Metrics()
    async with open_stores(lambda service, region: context.endpoint(service, region).url) as stores:
        delivery = ShardDelivery(context, stores, metrics, run_directory, log, build)
        loop.add_signal_handler(signal.SIGUSR1, delivery.drain)
        ended: asyncio.Future[None] = loop.create_future()
        tenure = _make_tenure(context, delivery, metrics, outgoing, log)
        threading.Thread(target=_run_tenure, args=(tenure, loop, ended), name="kcl", daemon=True).start()
        await asyncio.wait((ended, delivery.failed), return_when=asyncio.FIRST_COMPLETED)
        error = (ended if ended.done() else delivery.failed).exception()
        if delivery.shard_id is not None and error is None:  # left behind, it tells the pod of our death
            remove_status(run_directory, delivery.shard_id, os.getpid())
        if error is not None:
            log.error("the shard process can't go on", exc_info=error)
        sys.stderr.flush()
        # At once: the daemon waits for our end of file without limit; nothing under way may outlive a lease.
        os._exit(0 if error is None else 1)


def _make_tenure(
    context: ShardContext, delivery: ShardDelivery, metrics: Metrics, outgoing: BinaryIO, log: Logger
) -> Tenure:
    daemon = Daemon(sys.stdin.buffer, outgoing, delivery.window.wake_reader)
    checkpointer = Checkpointer(
        daemon.checkpoint,
        interval=context.settings.checkpoint_interval,
        clock=time.monotonic,
        on_failure=lambda error: metrics.checkpoint_failures.labels(error).inc(),
    )
    return Tenure(
        daemon,
        delivery,
        checkpointer,
        drain_seconds=context.settings.kcl.shutdown_grace * _DRAIN_SHARE,
        clock=time.monotonic,
        log=log,
    )


def _run_tenure(tenure: Tenure, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    try:
        tenure.run()
    except Exception as error:  # noqa: BLE001 - every way for the thread to end must end the process
        loop.call_soon_threadsafe(ended.set_exception, error)
    else:
        loop.call_soon_threadsafe(ended.set_result, None)


if __name__ == "__main__":
    main()
