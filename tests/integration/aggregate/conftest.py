"""An aggregate of a table in the sandbox: prepared as the pod does, fed as a shard process is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from consumer.log import open_log
from consumer.metrics import Metrics
from consumer.pod.start import prepare
from consumer.processors.build import build_processor
from consumer.record import Image, StreamRecord
from consumer.settings.context import ShardContext
from consumer.settings.model import Settings
from consumer.shard.assembly import Assembly
from consumer.shard.path import decode_all
from consumer.shard.window import Window
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.streams import create_stream, create_table, read_shard, shards_of
from tests.support.aws import clients_of

REGION = "us-east-1"
_POLL_SECONDS = 0.01


@dataclass(slots=True)
class Shop:
    """A table, its stream, and a table of sums; `prefix` begins their names."""

    aws: Aws
    sandbox: SandboxProcess
    prefix: str
    letters: Path
    aggregate: Mapping[str, Any]
    log: BytesIO = field(default_factory=BytesIO)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Of the last delivery."""

    @property
    def orders(self) -> str:
        return f"{self.prefix}-orders"

    @property
    def sums(self) -> str:
        return f"{self.prefix}-sums"

    def make(self, *, shards: int = 1, expires: bool = False) -> None:
        """Make the stream and both tables."""
        arn = create_stream(self.aws.kinesis, f"{self.prefix}-changes", shards)
        create_table(self.aws, self.orders, arn)
        if expires:
            self.aws.dynamodb.update_time_to_live(
                TableName=self.orders, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
            )
        (key,) = self.aggregate["group_by"]
        self.aws.dynamodb.create_table(
            TableName=self.sums,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def write(self, *items: Image) -> None:
        for item in items:
            self.aws.dynamodb.put_item(TableName=self.orders, Item=item)

    def delete(self, name: str) -> None:
        self.aws.dynamodb.delete_item(TableName=self.orders, Key={"id": {"S": name}})

    def put_sums(self, row: Image) -> None:
        """Write a row as others do who keep attributes of their own in it."""
        self.aws.dynamodb.put_item(TableName=self.sums, Item=row)

    def rows(self) -> dict[str, dict[str, str]]:
        """The rows of the sums by key: each attribute's text."""
        (key,) = self.aggregate["group_by"]
        found: dict[str, dict[str, str]] = {}
        for page in self.aws.dynamodb.get_paginator("scan").paginate(TableName=self.sums):
            for row in page["Items"]:
                texts = {name: str(next(iter(value.values()))) for name, value in row.items()}
                found[texts.pop(key)] = texts
        return found

    def records(self) -> list[list[StreamRecord]]:
        """What each shard of the stream holds, shard by shard."""
        kinesis, stream = self.aws.kinesis, f"{self.prefix}-changes"
        return [
            [
                StreamRecord(record["Data"], record["SequenceNumber"])
                for record in read_shard(kinesis, stream, shard).records
            ]
            for shard in shards_of(kinesis, stream)
        ]

    async def prepare(self) -> ShardContext:
        """What the pod does before its shard processes begin."""
        on_failure = {"file": {"path": str(self.letters), "durable": True}}
        settings = {
            "application": self.prefix,
            "source": {"kinesis": {"stream": f"{self.prefix}-changes", "table": self.orders}},
            "delivery": {"maximum_retry_attempts": 0, "on_failure": on_failure},
            "processors": [
                {"name": "sums", "aggregate": {**self.aggregate, "store": {"dynamodb": {"table": self.sums}}}}
            ],
        }
        async with clients_of(self.sandbox) as clients:
            return await prepare(
                Settings.model_validate(settings),
                Stores(clients, {}),
                worker_id="pod-0",
                region=REGION,
                endpoint_url=lambda _service, _region: self.sandbox.endpoint,
                log=open_log(self.log),
            )

    async def deliver(self, *shards: Sequence[StreamRecord]) -> None:
        """Let a shard process for each shard, with connections and locks of its own, settle what it holds."""
        context = await self.prepare()
        self.metrics = CollectorRegistry()
        metrics = Metrics(self.metrics)
        ways = (
            self._deliver(context, metrics, f"shard-{number}", list(records))
            for number, records in enumerate(shards)
        )
        await asyncio.gather(*ways)

    async def _deliver(
        self, context: ShardContext, metrics: Metrics, shard: str, records: list[StreamRecord]
    ) -> None:
        window = Window(records=100_000, size=1 << 30)
        async with clients_of(self.sandbox) as clients:
            assembly = Assembly(
                context,
                Stores(clients, {}),
                metrics,
                window,
                open_log(self.log),
                build_processor,
                is_stopping=lambda: False,
            )
            path = assembly.path(shard)
            window.admit(len(records), 0)
            path.accept(records, decode_all(records))
            async with asyncio.TaskGroup() as group:
                group.create_task(path.run())
                async with asyncio.timeout(60):
                    while path.frontier.settled < len(records):  # noqa: ASYNC110 - the frontier tells nobody
                        await asyncio.sleep(_POLL_SECONDS)
                path.stop()

    def counter(self, name: str, **labels: str) -> float:
        return self.metrics.get_sample_value(f"tidemark_{name}_total", labels) or 0.0


MakeShop = Callable[..., Shop]

SALES: Mapping[str, Any] = {
    "group_by": {"day": "new.day"},
    "add": {"orders": "`1`", "revenue": "new.total"},
}
RESERVED_STOCK: Mapping[str, Any] = {
    "when": "new.status != 'CANCELLED'",
    "for_each": "new.lines",
    "group_by": {"productId": "item.productId"},
    "add": {"reserved": "item.quantity"},
    "warn_above": {"reserved": "on_hand"},
}


@pytest.fixture
def shop_of(aws: Aws, sandbox: SandboxProcess, prefix: str, tmp_path: Path) -> MakeShop:
    """Makes a shop of an aggregate's settings."""

    def make(aggregate: Mapping[str, Any], **tables: Any) -> Shop:  # noqa: ANN401 - Shop.make's own
        shop = Shop(aws, sandbox, prefix, tmp_path / "letters.jsonl", aggregate)
        shop.make(**tables)
        return shop

    return make
