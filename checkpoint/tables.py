"""DynamoDB tables as this room needs them: made once, awaited, read whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from checkpoint.api import Api

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB JSON."""

Pause = Callable[[float], Awaitable[None]]
"""Waits that many seconds: asyncio.sleep, or a test's own."""

_LOOKS = 600
_BETWEEN_LOOKS_SECONDS = 0.5
"""A table with an index is there within about a minute on AWS; five are waited."""


class TableNotReadyError(Exception):
    """A table did not become ACTIVE in time: it may be being deleted; look at it and start again."""


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table with a hash key of type S, and at most one index of keys alone (hash, range; both S)."""

    name: str
    hash_key: str
    index: str | None = None
    index_keys: tuple[str, str] | None = None

    def create_request(self) -> dict[str, Any]:
        """The parameters of CreateTable; on-demand capacity, as KCL has it."""
        names = {self.hash_key, *(self.index_keys or ())}
        request: dict[str, Any] = {
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in sorted(names)],
            "KeySchema": [{"AttributeName": self.hash_key, "KeyType": "HASH"}],
        }
        if self.index is not None and self.index_keys is not None:
            request["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": self.index,
                    "KeySchema": [
                        {"AttributeName": self.index_keys[0], "KeyType": "HASH"},
                        {"AttributeName": self.index_keys[1], "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ]
        return request


async def ensure_table(api: Api, schema: TableSchema, pause: Pause = asyncio.sleep) -> None:
    """Make the table if it is not there, and wait until it and its indexes are ACTIVE.

    A table that is there is taken as it is, so CreateTable need not be allowed.

    Raises:
        TableNotReadyError: not ACTIVE after five minutes.
    """
    status = await _status(api, schema.name)
    if status is None:
        await api.call("CreateTable", schema.create_request(), expect=("ResourceInUseException",))
    for _ in range(_LOOKS):
        status = await _status(api, schema.name)
        if status == "ACTIVE":
            return
        await pause(_BETWEEN_LOOKS_SECONDS)
    raise TableNotReadyError(f"table {schema.name} is still {status or 'not there'} after five minutes")


async def scan(api: Api, table: str) -> AsyncIterator[Item]:
    """All items, read consistently, page by page."""
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while True:
        page = (await api.call("Scan", request)).body
        for item in page.get("Items", ()):
            yield item
        if not page.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


async def get_item(api: Api, table: str, key: Item) -> Item | None:
    """One item, read consistently."""
    answer = await api.call("GetItem", {"TableName": table, "Key": key, "ConsistentRead": True})
    item: Item | None = answer.body.get("Item")
    return item


async def find_item(api: Api, table: str, key: Item) -> Item | None:
    """One item, read consistently; None where there is no such table either."""
    request = {"TableName": table, "Key": key, "ConsistentRead": True}
    answer = await api.call("GetItem", request, expect=("ResourceNotFoundException",))
    item: Item | None = answer.body.get("Item")
    return item


async def _status(api: Api, table: str) -> str | None:
    """ACTIVE only when the table and every index are; None where there is none (or none seen yet)."""
    answer = await api.call("DescribeTable", {"TableName": table}, expect=("ResourceNotFoundException",))
    if answer.error is not None:
        return None
    found = answer.body["Table"]
    statuses = [found["TableStatus"]]
    statuses += [index["IndexStatus"] for index in found.get("GlobalSecondaryIndexes") or ()]
    return next((status for status in statuses if status != "ACTIVE"), "ACTIVE")
