"""KCL's lease table (KCL 3.1.3): made, read, and seeded so that the daemon need not wait to do so itself.

Names and schemas are KCL's own (DynamoDBLeaseSerializer, CoordinatorStateDAO, WorkerMetricStatsDAO).
What rows are written, and when none are, is decided in seeding.py.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkpoint.api import Api
from checkpoint.seeding import (
    AtTimestamp,
    HashRange,
    Lease,
    LeaseRow,
    Move,
    Shard,
    Start,
    TrimHorizon,
    covers_completely,
    has_begun,
    plan_moves,
    plan_seed,
    without_descendants,
)
from checkpoint.tables import Item, Pause, TableSchema, ensure_table, get_item, scan

__all__ = [
    "AtTimestamp",
    "HashRange",
    "Lease",
    "SeedReport",
    "Start",
    "TrimHorizon",
    "create_tables",
    "has_begun",
    "read_lease",
    "read_leases",
    "seed",
    "was_open_at_trim_horizon",
]

COORDINATOR_STATE_SUFFIX = "-CoordinatorState"
WORKER_METRIC_STATS_SUFFIX = "-WorkerMetricStats"

_LISTINGS = 3
_BETWEEN_LISTINGS_SECONDS = 1.0
"""KCL's own patience with a listing taken in the middle of a resharding (HierarchicalShardSyncer)."""


@dataclass(frozen=True, slots=True)
class SeedReport:
    """What seeding did.

    Attributes:
        written: shards whose rows were put; rows another pod was quicker with are not among them.
        moved: leases whose sentinel was changed for the start position's.
        reason: one sentence for the log.
    """

    written: tuple[str, ...]
    moved: tuple[str, ...]
    reason: str


async def create_tables(api: Api, application: str, pause: Pause = asyncio.sleep) -> None:
    """Make KCL's three tables as it would; its own way there takes 20 s of polling.

    Raises:
        TableNotReadyError: one was not ACTIVE in time.
    """
    schemas = (
        TableSchema(application, "leaseKey", "LeaseOwnerToLeaseKeyIndex", ("leaseOwner", "leaseKey")),
        TableSchema(application + COORDINATOR_STATE_SUFFIX, "key"),
        TableSchema(application + WORKER_METRIC_STATS_SUFFIX, "wid"),
    )
    await asyncio.gather(*(ensure_table(api, schema, pause) for schema in schemas))


async def read_leases(api: Api, application: str) -> list[Lease]:
    """All leases of the application, ended ones too, by lease key."""
    leases = [_lease(item) async for item in scan(api, application)]
    return sorted(leases, key=lambda lease: lease.lease_key)


async def read_lease(api: Api, application: str, shard_id: str) -> Lease | None:
    """One shard's lease as it is now; None: KCL has deleted it, or never made it."""
    item = await get_item(api, application, {"leaseKey": {"S": shard_id}})
    return None if item is None else _lease(item)


async def seed(
    dynamodb: Api, kinesis: Api, application: str, stream: str, start: Start, pause: Pause = asyncio.sleep
) -> SeedReport:
    """Write the leases of the start position's shards, where the application has not begun.

    May be called at every start and by several pods at once: it only ever adds rows that are not there, and
    changes sentinels that still are what was read.
    """
    leases = await read_leases(dynamodb, application)
    moved = await _move(dynamodb, application, plan_moves(leases, start))
    if has_begun(leases):
        return SeedReport((), moved, "the application has begun: its leases are left as they are")
    shards = await _shards_of(kinesis, stream, start, pause)
    if shards is None:
        reason = f"the shards listed of {stream} do not cover all hash keys: the leases are left to KCL"
        return SeedReport((), moved, reason)
    rows = plan_seed(leases, shards, start)
    written = await asyncio.gather(*(_put(dynamodb, application, row) for row in rows))
    names = tuple(row.shard.shard_id for row, new in zip(rows, written, strict=True) if new)
    return SeedReport(names, moved, f"{len(names)} of {len(shards)} leases written, the others were there")


async def was_open_at_trim_horizon(kinesis: Api, stream: str, shard_id: str) -> bool:
    """Whether the shard is as old as the stream's retention: its first records may have been trimmed."""
    return any(shard.shard_id == shard_id for shard in await _list_shards(kinesis, stream, TrimHorizon()))


async def _put(api: Api, application: str, row: LeaseRow) -> bool:
    request = {
        "TableName": application,
        "Item": _item(row),
        "ConditionExpression": "attribute_not_exists(leaseKey)",
    }
    answer = await api.call("PutItem", request, expect=("ConditionalCheckFailedException",))
    return answer.error is None


async def _move(api: Api, application: str, moves: tuple[Move, ...]) -> tuple[str, ...]:
    moved = []
    for move in moves:
        request = {
            "TableName": application,
            "Key": {"leaseKey": {"S": move.lease_key}},
            "UpdateExpression": "SET checkpoint = :new",
            # A daemon that checkpoints in this moment wins.
            "ConditionExpression": "checkpoint = :old",
            "ExpressionAttributeValues": {":new": {"S": move.sentinel}, ":old": {"S": move.was}},
        }
        answer = await api.call("UpdateItem", request, expect=("ConditionalCheckFailedException",))
        if answer.error is None:
            moved.append(move.lease_key)
    return tuple(moved)


async def _shards_of(kinesis: Api, stream: str, start: Start, pause: Pause) -> tuple[Shard, ...] | None:
    """The shards that were open at the start position; None where the listing is not complete."""
    for look in range(_LISTINGS):
        if look:
            await pause(_BETWEEN_LISTINGS_SECONDS)
        shards = without_descendants(await _list_shards(kinesis, stream, start))
        if covers_completely(shards):
            return shards
    if isinstance(start, AtTimestamp):
        # A time before the stream's oldest shard: AT_TIMESTAMP, unlike FROM_TIMESTAMP, is not corrected to
        # the trim horizon. From there nothing is skipped, whatever the reason was.
        return await _shards_of(kinesis, stream, TrimHorizon(), pause)
    return None


async def _list_shards(kinesis: Api, stream: str, start: Start) -> tuple[Shard, ...]:
    """Amazon Kinesis Data Streams API Reference, ListShards and ShardFilter."""
    shard_filter: dict[str, Any] = {"Type": "AT_TRIM_HORIZON"}
    if isinstance(start, AtTimestamp):
        shard_filter = {"Type": "AT_TIMESTAMP", "Timestamp": start.epoch_seconds}
    request: dict[str, Any] = {"StreamName": stream, "ShardFilter": shard_filter}
    shards: list[Shard] = []
    while True:
        page = (await kinesis.call("ListShards", request)).body
        shards += [_shard(entry) for entry in page["Shards"]]
        if not page.get("NextToken"):
            return tuple(shards)
        request = {"NextToken": page["NextToken"]}


def _shard(entry: Mapping[str, Any]) -> Shard:
    parents = (entry.get("ParentShardId"), entry.get("AdjacentParentShardId"))
    keys = entry["HashKeyRange"]
    return Shard(
        shard_id=entry["ShardId"],
        parents=frozenset(parent for parent in parents if parent),
        hash_range=HashRange(int(keys["StartingHashKey"]), int(keys["EndingHashKey"])),
    )


def _item(row: LeaseRow) -> Item:
    item: Item = {
        "leaseKey": {"S": row.shard.shard_id},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": row.sentinel},
        "checkpointSubSequenceNumber": {"N": "0"},
        "startingHashKey": {"S": str(row.shard.hash_range.start)},
        "endingHashKey": {"S": str(row.shard.hash_range.end)},
    }
    if row.shard.parents:  # DynamoDB has no empty sets
        item["parentShardId"] = {"SS": sorted(row.shard.parents)}
    return item


def _lease(item: Item) -> Lease:
    start, end = item.get("startingHashKey"), item.get("endingHashKey")
    return Lease(
        lease_key=item["leaseKey"]["S"],
        owner=item["leaseOwner"]["S"] if "leaseOwner" in item else None,
        counter=int(item["leaseCounter"]["N"]),
        checkpoint=item["checkpoint"]["S"],
        sub_sequence_number=int(item["checkpointSubSequenceNumber"]["N"]),
        parents=frozenset(item["parentShardId"]["SS"]) if "parentShardId" in item else frozenset(),
        owner_switches=int(item["ownerSwitchesSinceCheckpoint"]["N"]),
        hash_range=HashRange(int(start["S"]), int(end["S"])) if start and end else None,
    )
