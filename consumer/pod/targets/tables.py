"""DynamoDB tables as they are: DescribeTable and DescribeTimeToLive (Amazon DynamoDB API Reference)."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from checkpoint.api import Api
from consumer.pod.targets.checks import Findings
from consumer.settings.context import TableFacts

_NOT_THERE = "ResourceNotFoundException"
_DENIED = "AccessDeniedException"
_USABLE = {"ACTIVE", "UPDATING"}


async def look_at_table(
    dynamodb: Api, name: str, region: str, setting: str, findings: Findings, *, is_made: bool = False
) -> TableFacts | None:
    """What a table is; None, and a problem told under the setting's name, where it can't be used.

    `is_made`: one that is not there is no problem, since the start makes it.
    """
    where = f"{setting}: table {name!r} in {region}"
    request = {"TableName": name}
    answer = await dynamodb.call("DescribeTable", request, expect=(_NOT_THERE, _DENIED))
    if answer.error == _NOT_THERE and is_made:
        return None
    if answer.error == _NOT_THERE:
        findings.problems.append(f"{where}: there is no such table; create it, or correct the name or region")
        return None
    if answer.error == _DENIED:
        findings.problems.append(f"{where}: not allowed to look at it; allow dynamodb:DescribeTable")
        return None
    table = answer.body["Table"]
    if table["TableStatus"] not in _USABLE:
        findings.problems.append(
            f"{where} is {table['TableStatus']}; wait until it is ACTIVE and start again"
        )
        return None
    ttl = await dynamodb.call("DescribeTimeToLive", request, expect=(_DENIED,))
    if ttl.error == _DENIED:
        findings.problems.append(
            f"{where}: not allowed to look at its TTL; allow dynamodb:DescribeTimeToLive"
        )
        return None
    return _facts(table, ttl.body.get("TimeToLiveDescription", {}), name, region)


def _facts(table: Mapping[str, Any], ttl: Mapping[str, Any], name: str, region: str) -> TableFacts:
    keys = {entry["KeyType"]: entry["AttributeName"] for entry in table["KeySchema"]}
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
    return TableFacts(
        name=name,
        region=region,
        partition_key=keys["HASH"],
        sort_key=keys.get("RANGE"),
        ttl_attribute=ttl.get("AttributeName")
        if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
        else None,
        key_types={key: cast("Literal['S', 'N', 'B']", types[key]) for key in keys.values()},
    )
