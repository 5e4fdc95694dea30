"""Where the demo plays: the shop's table, its stream, its read model, and the settings file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from consumer.aws.client import AwsClient, CallPolicy
from consumer.aws.clients import open_clients
from consumer.aws.signer import Credentials

ORDERS = "orders"
ORDER_VIEW = "order-view"
STREAM = "orders-changes"
KEY = "orderId"
TTL_ATTRIBUTE = "expiresAt"

_IN_A_HURRY = """
# For the demo only: KCL's time-outs as short as they may be, where the defaults suit AWS.
checkpoint_interval: 1s
kcl:
  failover_time: 2s
  lease_assignment_interval: 1s
  idle_time_between_reads: 200ms
  parent_shard_poll_interval: 1s
  shutdown_grace: 15s
"""
_LONG_SCAN = CallPolicy(total_timeout=60.0)
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """The clients of the sandbox the demo plays on."""

    dynamodb: AwsClient
    kinesis: AwsClient


class _Keys:
    """The sandbox takes any keys; the user's own are not for it."""

    async def current(self) -> Credentials:
        return Credentials("sandbox", "sandbox")

    def discard(self, refused: Credentials) -> None:
        """There are no others."""


@asynccontextmanager
async def open_stage(endpoint: str, region: str) -> AsyncIterator[Stage]:
    """Clients of the sandbox, whatever the environment says of AWS."""
    async with open_clients(lambda *_: endpoint, credentials=_Keys(), policy=_LONG_SCAN) as clients:
        yield Stage(clients.client("dynamodb", region), clients.client("kinesis", region))


async def build(stage: Stage, shards: int) -> None:
    """Create the table, the stream it streams into with microsecond precision, and the read model's table."""
    await asyncio.gather(
        _create_table(stage.dynamodb, ORDERS),
        _create_table(stage.dynamodb, ORDER_VIEW),
        stage.kinesis.call("CreateStream", {"StreamName": STREAM, "ShardCount": shards}),
    )
    summary = await _until_active(stage.kinesis, "DescribeStreamSummary", {"StreamName": STREAM})
    destination = {"TableName": ORDERS, "StreamArn": summary["StreamARN"]}
    precision = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
    await stage.dynamodb.call(
        "EnableKinesisStreamingDestination",
        {**destination, "EnableKinesisStreamingConfiguration": precision},
    )
    await _until_streaming(stage.dynamodb)


async def _create_table(dynamodb: AwsClient, table: str) -> None:
    await dynamodb.call(
        "CreateTable",
        {
            "TableName": table,
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    await _until_active(dynamodb, "DescribeTable", {"TableName": table})
    ttl = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    await dynamodb.call("UpdateTimeToLive", {"TableName": table, "TimeToLiveSpecification": ttl})


async def _until_active(client: AwsClient, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Ask until what was created is ACTIVE; what the answer says of it."""
    while True:
        answer = await client.call(operation, request)
        description: dict[str, Any] = next(iter(answer.body.values()))
        if "ACTIVE" in (description.get("TableStatus"), description.get("StreamStatus")):
            return description
        await asyncio.sleep(_POLL_SECONDS)


async def _until_streaming(dynamodb: AwsClient) -> None:
    while True:
        answer = await dynamodb.call("DescribeKinesisStreamingDestination", {"TableName": ORDERS})
        destinations = answer.body["KinesisDataStreamDestinations"]
        if [entry["DestinationStatus"] for entry in destinations] == ["ACTIVE"]:
            return
        await asyncio.sleep(_POLL_SECONDS)


def write_settings(directory: Path) -> Path:
    """Put the shop's tidemark.yaml (examples/shop) into a directory, in a hurry."""
    example = files(__package__).joinpath("tidemark.yaml").read_text(encoding="utf-8")
    file = directory / "tidemark.yaml"
    file.write_text(example + _IN_A_HURRY, encoding="utf-8")
    return file


async def count_rows(dynamodb: AwsClient) -> int:
    """How many rows of the read model are not tombstones."""
    request = {
        "TableName": ORDER_VIEW,
        "Select": "COUNT",
        "FilterExpression": "#t.#d <> :gone",
        "ExpressionAttributeNames": {"#t": "_tidemark", "#d": "d"},
        "ExpressionAttributeValues": {":gone": {"S": "-"}},
    }
    return sum([page["Count"] async for page in _pages(dynamodb, request)])


async def read_items(dynamodb: AwsClient, table: str) -> list[dict[str, Any]]:
    """All items of a table, as they are now."""
    request = {"TableName": table, "ConsistentRead": True}
    return [item async for page in _pages(dynamodb, request) for item in page["Items"]]


async def _pages(dynamodb: AwsClient, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    position: dict[str, Any] = {}
    while True:
        page = (await dynamodb.call("Scan", {**request, **position})).body
        yield page
        if "LastEvaluatedKey" not in page:
            return
        position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
