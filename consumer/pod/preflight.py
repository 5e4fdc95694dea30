"""The settings checked against what AWS has at those names: read-only, and every problem told at once.

AWS API references used: Kinesis DescribeStreamSummary; DynamoDB DescribeTable, DescribeTimeToLive,
DescribeKinesisStreamingDestination, GetItem.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from checkpoint.api import Api
from consumer.errors import SettingsError
from consumer.pod.letters import LetterClients, LetterFindings, look_at_letters
from consumer.pod.models import Models, read_models, with_models
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.look import look_at_targets
from consumer.pod.targets.tables import look_at_table
from consumer.settings.context import TableFacts, Target
from consumer.settings.model import Settings
from consumer.stores.opened import Stores

_NOT_THERE = "ResourceNotFoundException"
_DENIED = "AccessDeniedException"
_ANY_KEY = {"S": "tidemark", "N": "0", "B": "dGlkZW1hcms="}
"""A key value of each type, to see whether an item may be read; whether it is there does not matter."""

_USABLE = {"ACTIVE", "UPDATING"}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What AWS has: what a shard process must know, and what a person should.

    Attributes:
        targets: by processor name.
        letters: what stands where dead letters go.
        warnings: sentences about what works, but not as well as it could.
        models: what was cut over.
    """

    source_table: TableFacts
    source_readable: bool
    targets: Mapping[str, Target]
    stream_retention_hours: int
    letters: LetterFindings
    warnings: tuple[str, ...]
    models: Models


async def inspect(
    settings: Settings, stores: Stores, region: str, letter_clients: LetterClients | None = None
) -> Inspection:
    """Look at the stream, the table, its destination, every target, and where dead letters go.

    A processor that was cut over is looked at where it writes now; one that may not run is left out.

    Raises:
        SettingsError: everything that is wrong, a line each: what, where, and what to do.
        Unavailable: AWS can't be asked now.
    """
    findings = Findings()
    source = settings.source.kinesis
    dynamodb = stores.aws.client("dynamodb", region)
    models = await read_models(settings, dynamodb)
    retention, table, letters = await asyncio.gather(
        _retention_hours(stores.aws.client("kinesis", region), source.stream, region, findings),
        look_at_table(dynamodb, source.table, region, "source.kinesis.table", findings),
        asyncio.to_thread(look_at_letters, settings, region, letter_clients),
    )
    readable = False
    if table is not None:
        readable = await _is_readable(dynamodb, table)
        await _check_destination(dynamodb, settings, table, findings, readable=readable)
    pointed = await with_models(settings, models, dynamodb)
    targets = await look_at_targets(pointed, stores, region, table, findings, models.past)
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
        warnings=(*findings.warnings, *letters.warnings, *models.halted.values()),
        models=models,
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
