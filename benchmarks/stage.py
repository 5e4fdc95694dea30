"""Where a benchmark plays: the sandbox with a table, a stream and a run directory for shard processes."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.records import TABLE
from checkpoint.leases import create_tables
from checkpoint.positions import Positions
from consumer.aws.clients import open_clients
from consumer.errors import SettingsError
from consumer.metrics import METRICS_DIRECTORY_VARIABLE, metrics_directory
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.look import look_at_targets
from consumer.pod.targets.make import make_targets
from consumer.settings.context import (
    RUN_DIRECTORY_VARIABLE,
    Endpoint,
    ShardContext,
    TableFacts,
    Target,
    write_context,
)
from consumer.settings.model import Settings
from consumer.status import status_directory
from consumer.stores.opened import open_stores
from sandbox.process import REGION, SandboxProcess

_STREAM = "orders-changes"
VIEW = "order-view"
_WORKER = "bench"
TARGET_REGION = "us-west-2"


@dataclass(frozen=True, slots=True)
class Stage:
    """A sandbox and what a shard process needs to find in its environment."""

    sandbox: SandboxProcess
    run_directory: Path
    settings: Settings
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def environment(self) -> dict[str, str]:
        """Of a shard process, or of the daemon that starts it."""
        return {
            **os.environ,
            **self.sandbox.environment,
            RUN_DIRECTORY_VARIABLE: str(self.run_directory),
            METRICS_DIRECTORY_VARIABLE: str(metrics_directory(self.run_directory)),
        }

    def new_shard(self) -> str:
        """A shard that nobody has read from yet, its lease the shard process's own."""
        shard = f"shardId-{next(self._numbers):012}"
        asyncio.run(_lease(self.sandbox.endpoint, self.settings.application, shard))
        return shard


@contextmanager
def open_stage(
    application: str,
    *,
    target_url: str | None = None,
    processor: Mapping[str, object] | None = None,
    target: TableFacts | None = None,
) -> Iterator[Stage]:
    """A stage of its own for one measurement.

    Args:
        application: its name.
        target_url: the target's table stands in a region of its own, which is reached there.
        processor: its settings; default: a projection of whole items.
        target: what its table is; default: what stands in its store, made where it is missing.
    """
    with SandboxProcess() as sandbox, tempfile.TemporaryDirectory(prefix="tidemark-bench-") as directory:
        run_directory = Path(directory)
        status_directory(run_directory).mkdir()
        metrics_directory(run_directory).mkdir()
        target_region = REGION if target_url is None else TARGET_REGION
        settings = _settings(application, processor or _projection(target_region))
        os.environ.update(sandbox.environment)
        asyncio.run(_prepare(sandbox.endpoint, application))
        endpoints = [
            Endpoint(service=service, region=REGION, url=sandbox.endpoint)
            for service in ("dynamodb", "kinesis")
        ]
        if target_url is not None:
            endpoints.append(Endpoint(service="dynamodb", region=TARGET_REGION, url=target_url))
        if processor is None:
            target = orders_table(VIEW, target_region)
        found = asyncio.run(_made(settings, sandbox.endpoint)) if target is None else target
        write_context(run_directory, _context(settings, endpoints, found))
        yield Stage(sandbox, run_directory, settings)


async def _prepare(endpoint: str, application: str) -> None:
    async with open_clients(lambda _service, _region: endpoint) as clients:
        dynamodb = clients.client("dynamodb", REGION)
        await Positions(dynamodb, application).create()
        await create_tables(dynamodb, application)


async def _made(settings: Settings, endpoint: str) -> Target:
    findings = Findings()
    async with open_stores(lambda _service, _region: endpoint) as stores:
        source = orders_table(TABLE, REGION)
        targets = await look_at_targets(settings, stores, REGION, source, findings)
        if findings.problems:
            raise SettingsError("\n".join(findings.problems))
        await make_targets(settings, stores, source, targets)
    (target,) = targets.values()
    return target


async def _lease(endpoint: str, application: str, shard: str) -> None:
    row = {
        "leaseKey": {"S": shard},
        "leaseOwner": {"S": _WORKER},
        "leaseCounter": {"N": "1"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
    }
    async with open_clients(lambda _service, _region: endpoint) as clients:
        await clients.client("dynamodb", REGION).call("PutItem", {"TableName": application, "Item": row})


def _projection(target_region: str) -> dict[str, object]:
    projection = {
        "store": {"dynamodb": {"table": VIEW, "region": target_region}},
        "key": {"orderId": "keys.orderId"},
    }
    return {"name": VIEW, "projection": projection}


def _settings(application: str, processor: Mapping[str, object]) -> Settings:
    return Settings.model_validate(
        {
            "application": application,
            "source": {"kinesis": {"stream": _STREAM, "table": TABLE}},
            "kcl": {
                "failover_time": "2s",
                "lease_assignment_interval": "1s",
                "idle_time_between_reads": "200ms",
                "shutdown_grace": "10s",
            },
            "processors": [processor],
        }
    )


def orders_table(name: str, region: str) -> TableFacts:
    """A table with the orders' key."""
    return TableFacts(name=name, region=region, partition_key="orderId", key_types={"orderId": "S"})


def _context(settings: Settings, endpoints: list[Endpoint], target: Target) -> ShardContext:
    return ShardContext(
        settings=settings,
        worker_id=_WORKER,
        region=REGION,
        endpoints=tuple(endpoints),
        source_table=orders_table(TABLE, REGION),
        source_readable=True,
        targets={settings.processors[0].name: target},
        stream_retention_hours=24,
        first_start_at=time.time(),
    )
