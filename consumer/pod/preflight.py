"""The settings checked against what AWS has at those names: read-only, and every problem told at once.

AWS API references used: Kinesis DescribeStreamSummary; DynamoDB DescribeTable, DescribeTimeToLive,
DescribeKinesisStreamingDestination, GetItem.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from checkpoint.api import Api
from consumer.errors import SettingsError
from consumer.pod.letters import LetterClients, LetterFindings, look_at_letters
from consumer.pod.targets import Findings, check_homes, check_target
from consumer.settings.context import TableFacts
from consumer.settings.model import Processor, Settings

_NOT_THERE = "ResourceNotFoundException"
_DENIED = "AccessDeniedException"
_ANY_KEY = {"S": "tidemark", "N": "0", "B": "dGlkZW1hcms="}
"""A key value of each type, to see whether an item may be read; whether it is there does not matter."""

_USABLE = {"ACTIVE", "UPDATING"}


class Clients(Protocol):
    """Where clients come from: consumer.aws.clients.Clients."""

    def client(self, service: str, region: str) -> Api:
        """The client of a service in a region."""
        ...


@dataclass(frozen=True, slots=True)
class Inspection:
    """What AWS has: what a shard process must know, and what a person should.

    Attributes:
        targets: by processor name.
        letters: what stands where dead letters go.
        warnings: sentences about what works, but not as well as it could.
    """

    source_table: TableFacts
    source_readable: bool
    targets: Mapping[str, TableFacts]
    stream_retention_hours: int
    letters: LetterFindings
    warnings: tuple[str, ...]


async def inspect(
    settings: Settings, clients: Clients, region: str, letter_clients: LetterClients | None = None
) -> Inspection:
    """Look at the stream, the table, its destination, every target, and where dead letters go.

    Raises:
        SettingsError: everything that is wrong, a line each: what, where, and what to do.
        Unavailable: AWS can't be asked now.
    """
    findings = Findings()
    source = settings.source.kinesis
    dynamodb = clients.client("dynamodb", region)
    retention, table, targets, letters = await asyncio.gather(
        _retention_hours(clients.client("kinesis", region), source.stream, region, findings),
        _table(dynamodb, source.table, region, "source.kinesis.table", findings),
        _targets(settings, clients, region, findings),
        asyncio.to_thread(look_at_letters, settings, region, letter_clients),
    )
    readable = False
    if table is not None:
        readable = await _is_readable(dynamodb, table)
        await _check_destination(dynamodb, settings, table, findings, readable=readable)
        for processor in settings.processors:
            if processor.name in targets:
                check_target(processor, table, targets[processor.name], findings)
    check_homes(targets, findings)
    findings.problems += letters.problems
    if findings.problems or table is None or retention is None:
        raise SettingsError("\n".join(findings.problems))
    _warn_of_grace(settings, findings)
    return Inspection(
        source_table=table,
        source_readable=readable,
        targets=targets,
        stream_retention_hours=retention,
        letters=letters,
        warnings=(*findings.warnings, *letters.warnings),
    )


async def _retention_hours(kinesis: Api, stream: str, region: str, findings: Findings) -> int | None:
    where = f"source.kinesis.stream: stream {stream!r} in {region}"
    answer = await kinesis.call("DescribeStreamSummary", {"StreamName": stream}, expect=(_NOT_THERE, _DENIED))
    if answer.error == _NOT_THERE:
        findings.problems.append(
            f"{where}: there is no such stream; create it, or correct the name or region"
        )
        return None
    if answer.error == _DENIED:
        findings.problems.append(f"{where}: not allowed to look at it; allow kinesis:DescribeStreamSummary")
        return None
    summary = answer.body["StreamDescriptionSummary"]
    if summary["StreamStatus"] not in _USABLE:
        findings.problems.append(
            f"{where} is {summary['StreamStatus']}; wait until it is ACTIVE and start again"
        )
        return None
    return int(summary["RetentionPeriodHours"])


async def _targets(
    settings: Settings, clients: Clients, region: str, findings: Findings
) -> dict[str, TableFacts]:
    """The target tables that are there, by processor name."""

    async def target(processor: Processor) -> TableFacts | None:
        store, where = processor.store.dynamodb, f"processors.{processor.name}.{processor.kind}.store"
        if store is None:
            findings.problems.append(f"{where}: only DynamoDB is a store yet")
            return None
        home = store.region or region
        return await _table(clients.client("dynamodb", home), store.table, home, where, findings)

    found = await asyncio.gather(*(target(processor) for processor in settings.processors))
    names = (processor.name for processor in settings.processors)
    return {name: table for name, table in zip(names, found, strict=True) if table is not None}


async def _table(
    dynamodb: Api, name: str, region: str, setting: str, findings: Findings
) -> TableFacts | None:
    where = f"{setting}: table {name!r} in {region}"
    request = {"TableName": name}
    answer = await dynamodb.call("DescribeTable", request, expect=(_NOT_THERE, _DENIED))
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


async def _is_readable(dynamodb: Api, table: TableFacts) -> bool:
    request = {
        "TableName": table.name,
        "Key": {key: {kind: _ANY_KEY[kind]} for key, kind in table.key_types.items()},
        "ConsistentRead": True,
    }
    answer = await dynamodb.call("GetItem", request, expect=(_DENIED,))
    return answer.error is None


async def _check_destination(
    dynamodb: Api, settings: Settings, table: TableFacts, findings: Findings, *, readable: bool
) -> None:
    stream = settings.source.kinesis.stream
    where = f"source.kinesis: table {table.name!r} in {table.region}"
    answer = await dynamodb.call(
        "DescribeKinesisStreamingDestination", {"TableName": table.name}, expect=(_DENIED,)
    )
    if answer.error == _DENIED:
        findings.problems.append(
            f"{where}: not allowed to look at its streaming destination;"
            " allow dynamodb:DescribeKinesisStreamingDestination"
        )
        return
    destinations = answer.body.get("KinesisDataStreamDestinations", [])
    ours = [entry for entry in destinations if entry["StreamArn"].endswith(f":stream/{stream}")]
    active = next((entry for entry in ours if entry["DestinationStatus"] in _USABLE | {"ENABLING"}), None)
    if active is None:
        others = ", ".join(entry["StreamArn"].rpartition("/")[2] for entry in destinations) or "none"
        state = f"it is {ours[0]['DestinationStatus']}" if ours else f"its destinations: {others}"
        findings.problems.append(
            f"{where} does not send its changes to stream {stream!r} ({state}); enable it: aws dynamodb"
            f" enable-kinesis-streaming-destination --table-name {table.name} --stream-arn ARN"
            " --enable-kinesis-streaming-configuration ApproximateCreationDateTimePrecision=MICROSECOND"
        )
        return
    if active.get("ApproximateCreationDateTimePrecision", "MILLISECOND") == "MILLISECOND":
        _judge_milliseconds(where, findings, readable=readable)


def _judge_milliseconds(where: str, findings: Findings, *, readable: bool) -> None:
    remedy = "set ApproximateCreationDateTimePrecision to MICROSECOND (update-kinesis-streaming-destination)"
    if readable:
        findings.warnings.append(
            f"{where} stamps its changes in milliseconds: two changes of one item in the same millisecond can"
            f" only be ordered by reading the item; {remedy}"
        )
    else:
        findings.problems.append(
            f"{where} stamps its changes in milliseconds and its items may not be read, so that two changes"
            f" in the same millisecond can't be ordered; {remedy}, or allow dynamodb:GetItem on it"
        )


def _warn_of_grace(settings: Settings, findings: Findings) -> None:
    kcl = settings.kcl
    if kcl.shutdown_grace <= kcl.failover_time:
        # Measured: KCL 3.1.3 ends a drain only failoverTimeMillis after the last shard let go.
        findings.warnings.append(
            f"kcl.shutdown_grace ({kcl.shutdown_grace:g} s) is not longer than kcl.failover_time"
            f" ({kcl.failover_time:g} s): KCL needs more than that to end in order"
        )
