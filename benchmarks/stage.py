"""Where a benchmark plays: the sandbox with a table, a stream and a run directory for shard processes."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.records import TABLE
from checkpoint.leases import create_tables, seed
from checkpoint.positions import Positions
from checkpoint.seeding import TrimHorizon
from consumer.aws.clients import open_clients
from consumer.metrics import METRICS_DIRECTORY_VARIABLE, metrics_directory
from consumer.settings.context import (
    RUN_DIRECTORY_VARIABLE,
    Endpoint,
    ShardContext,
    TableFacts,
    write_context,
)
from consumer.settings.model import Settings
from consumer.status import status_directory
from sandbox.process import REGION, SandboxProcess

STREAM = "orders-changes"
WORKER = "bench"


@dataclass(frozen=True, slots=True)
class Stage:
    """A sandbox and what a shard process needs to find in its environment."""

    sandbox: SandboxProcess
    run_directory: Path
    settings: Settings

    @property
    def environment(self) -> dict[str, str]:
        """Of a shard process, or of the daemon that starts it."""
        return {
            **os.environ,
            **self.sandbox.environment,
            RUN_DIRECTORY_VARIABLE: str(self.run_directory),
            METRICS_DIRECTORY_VARIABLE: str(metrics_directory(self.run_directory)),
        }


@contextmanager
def open_stage(application: str) -> Iterator[Stage]:
    """A stage of its own for one measurement."""
    with SandboxProcess() as sandbox, tempfile.TemporaryDirectory(prefix="tidemark-bench-") as directory:
        run_directory = Path(directory)
        status_directory(run_directory).mkdir()
        metrics_directory(run_directory).mkdir()
        settings = _settings(application)
        os.environ.update(sandbox.environment)
        asyncio.run(_prepare(sandbox.endpoint, application))
        write_context(run_directory, _context(settings, sandbox.endpoint))
        yield Stage(sandbox, run_directory, settings)


async def seed_leases(stage: Stage) -> None:
    """Write the leases, as the pod does before the daemon starts."""
    async with open_clients(lambda _service, _region: stage.sandbox.endpoint) as clients:
        dynamodb, kinesis = clients.client("dynamodb", REGION), clients.client("kinesis", REGION)
        await seed(dynamodb, kinesis, stage.settings.application, STREAM, TrimHorizon())


async def _prepare(endpoint: str, application: str) -> None:
    async with open_clients(lambda _service, _region: endpoint) as clients:
        dynamodb = clients.client("dynamodb", REGION)
        await Positions(dynamodb, application).create()
        await create_tables(dynamodb, application)


def _settings(application: str) -> Settings:
    projection = {"store": {"dynamodb": {"table": "order-view"}}, "key": {"orderId": "keys.orderId"}}
    return Settings.model_validate(
        {
            "application": application,
            "source": {"kinesis": {"stream": STREAM, "table": TABLE}},
            "kcl": {
                "failover_time": "2s",
                "lease_assignment_interval": "1s",
                "idle_time_between_reads": "200ms",
                "shutdown_grace": "10s",
            },
            "processors": [{"name": "order-view", "projection": projection}],
        }
    )


def _context(settings: Settings, endpoint: str) -> ShardContext:
    def table(name: str) -> TableFacts:
        return TableFacts(name=name, region=REGION, partition_key="orderId", key_types={"orderId": "S"})

    return ShardContext(
        settings=settings,
        worker_id=WORKER,
        region=REGION,
        endpoints=tuple(
            Endpoint(service=service, region=REGION, url=endpoint) for service in ("dynamodb", "kinesis")
        ),
        source_table=table(TABLE),
        source_readable=True,
        targets={"order-view": table("order-view")},
        stream_retention_hours=24,
        first_start_at=time.time(),
    )
