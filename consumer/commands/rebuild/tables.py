"""The rebuild's target in DynamoDB: a table of its own, like the live one, that nobody reads yet.

AWS API references used: CreateTable, DescribeTable, DescribeTimeToLive, UpdateTimeToLive, Scan (DynamoDB).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from checkpoint.api import Api
from checkpoint.rebuilds import Rebuilds
from checkpoint.tables import Pause
from consumer.commands.rebuild.own import see_that_it_is_own, see_that_nobody_shares
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.errors import SettingsError, Unavailable

_NOT_THERE = ("ResourceNotFoundException",)
_ROWS_LOOKED_AT = 1_000
_LOOKS = 600
_BETWEEN_LOOKS_SECONDS = 0.5
_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")


async def make_table(
    dynamodb: Api, plan: RebuildPlan, live: str, rebuilds: Rebuilds, pause: Pause = asyncio.sleep
) -> None:
    """Make the new table where there is none, and see that it is empty or this rebuild's own.

    It is made like the live one: keys, indexes and TTL attribute, with on-demand capacity.

    Args:
        dynamodb: in the targets' region.
        plan: the rebuild.
        live: the table that the live processor writes to now.
        rebuilds: the rebuild's own rows.
        pause: waits that many seconds.

    Raises:
        SettingsError: there is nothing to make it like, or what stands there is another's.
        Unavailable: not now.
    """
    table = await _describe(dynamodb, plan.into)
    if table is None:
        like = await _describe(dynamodb, live)
        if like is None:
            raise SettingsError(
                f"table {live!r} of processor {plan.name} is not there, so that none can be made like it;"
                f" create {plan.into!r} yourself, with the keys that the settings name, and start again"
            )
        see_that_nobody_shares(plan, live, await _names_in(dynamodb, live))
        await dynamodb.call("CreateTable", _like(like, plan.into), expect=("ResourceInUseException",))
        table = await _until_active(dynamodb, plan.into, pause)
        await _enable_ttl(dynamodb, live, plan.into)
    identity = str(table.get("TableId") or table["TableArn"])
    await see_that_it_is_own(plan, rebuilds, identity, lambda: _is_empty(dynamodb, plan.into))


async def _describe(dynamodb: Api, name: str) -> Mapping[str, Any] | None:
    answer = await dynamodb.call("DescribeTable", {"TableName": name}, expect=_NOT_THERE)
    return None if answer.error is not None else answer.body["Table"]


def _like(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": table["KeySchema"],
        "AttributeDefinitions": table["AttributeDefinitions"],
    }
    for kind in _INDEXES:
        if table.get(kind):
            request[kind] = [
                {part: index[part] for part in ("IndexName", "KeySchema", "Projection")}
                for index in table[kind]
            ]
    return request


async def _until_active(dynamodb: Api, name: str, pause: Pause) -> Mapping[str, Any]:
    for _ in range(_LOOKS):
        table = await _describe(dynamodb, name)
        if table is not None and table["TableStatus"] == "ACTIVE":
            return table
        await pause(_BETWEEN_LOOKS_SECONDS)
    raise Unavailable(f"table {name!r} is not ACTIVE after five minutes", code="TableNotReady")


async def _enable_ttl(dynamodb: Api, live: str, name: str) -> None:
    """Tombstones go by it; a table without one keeps them for ever."""
    answer = await dynamodb.call("DescribeTimeToLive", {"TableName": live})
    ttl = answer.body.get("TimeToLiveDescription", {})
    if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        specification = {"Enabled": True, "AttributeName": ttl["AttributeName"]}
        request = {"TableName": name, "TimeToLiveSpecification": specification}
        await dynamodb.call("UpdateTimeToLive", request)


async def _names_in(dynamodb: Api, name: str) -> set[str]:
    """The attributes of the first rows."""
    rows = (await dynamodb.call("Scan", {"TableName": name, "Limit": _ROWS_LOOKED_AT})).body["Items"]
    return {attribute for row in rows for attribute in row}


async def _is_empty(dynamodb: Api, name: str) -> bool:
    request = {"TableName": name, "ConsistentRead": True, "Limit": 1}
    return not (await dynamodb.call("Scan", request)).body["Items"]
