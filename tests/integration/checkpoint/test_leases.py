"""KCL's tables, made, seeded and read on DynamoDB and Kinesis as the sandbox has them."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest

from checkpoint.api import Answer, Api
from checkpoint.leases import (
    AtTimestamp,
    TrimHorizon,
    create_tables,
    read_lease,
    read_leases,
    seed,
    was_open_at_trim_horizon,
)
from tests.integration.checkpoint.conftest import no_pause
from tests.integration.conftest import Aws

LAST = 2**128 - 1


@pytest.fixture
def stream(aws: Aws, prefix: str) -> str:
    aws.kinesis.create_stream(StreamName=prefix, ShardCount=2)
    aws.kinesis.get_waiter("stream_exists").wait(StreamName=prefix)
    return prefix


def split(aws: Aws, stream: str, shard_id: str = "shardId-000000000000") -> None:
    aws.kinesis.split_shard(StreamName=stream, ShardToSplit=shard_id, NewStartingHashKey="1000")
    aws.kinesis.get_waiter("stream_exists").wait(StreamName=stream)


def checkpoint(aws: Aws, application: str, shard_id: str, value: str) -> None:
    aws.dynamodb.update_item(
        TableName=application,
        Key={"leaseKey": {"S": shard_id}},
        UpdateExpression="SET checkpoint = :value",
        ExpressionAttributeValues={":value": {"S": value}},
    )


class Interrupted(Exception):  # noqa: N818 - what happens to the pod
    """The pod dies here."""


class DyingApi:
    """Passes calls on until some have been made, then the pod is gone."""

    def __init__(self, api: Api, writes: int) -> None:
        self._api = api
        self._writes = writes

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "PutItem":
            if not self._writes:
                raise Interrupted
            self._writes -= 1
        return await self._api.call(operation, request, expect=expect)


async def test_kcl_s_three_tables_are_made_with_its_schemas(dynamodb: Api, aws: Aws, prefix: str) -> None:
    await create_tables(dynamodb, prefix)
    lease_table = aws.dynamodb.describe_table(TableName=prefix)["Table"]
    assert lease_table["KeySchema"] == [{"AttributeName": "leaseKey", "KeyType": "HASH"}]
    (index,) = lease_table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "LeaseOwnerToLeaseKeyIndex"
    assert index["KeySchema"] == [
        {"AttributeName": "leaseOwner", "KeyType": "HASH"},
        {"AttributeName": "leaseKey", "KeyType": "RANGE"},
    ]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    for suffix, key in (("-CoordinatorState", "key"), ("-WorkerMetricStats", "wid")):
        table = aws.dynamodb.describe_table(TableName=prefix + suffix)["Table"]
        assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


async def test_tables_that_are_there_are_taken_as_they_are(dynamodb: Api, prefix: str) -> None:
    await asyncio.gather(create_tables(dynamodb, prefix), create_tables(dynamodb, prefix))
    await create_tables(dynamodb, prefix)
    assert await read_leases(dynamodb, prefix) == []


async def test_an_empty_table_is_seeded_with_the_open_shards(
    dynamodb: Api, kinesis: Api, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    report = await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    assert report.written == ("shardId-000000000000", "shardId-000000000001")
    leases = await read_leases(dynamodb, stream)
    assert [lease.checkpoint for lease in leases] == ["TRIM_HORIZON", "TRIM_HORIZON"]
    assert [lease.owner for lease in leases] == [None, None]
    ranges = [lease.hash_range for lease in leases if lease.hash_range]
    assert (ranges[0].start, ranges[1].start, ranges[1].end) == (0, ranges[0].end + 1, LAST)


async def test_two_pods_that_seed_at_once_write_each_row_once(
    dynamodb: Api, kinesis: Api, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    reports = await asyncio.gather(
        *(seed(dynamodb, kinesis, stream, stream, TrimHorizon()) for _ in range(4))
    )
    written = sorted(shard for report in reports for shard in report.written)
    assert written == ["shardId-000000000000", "shardId-000000000001"]


async def test_a_pod_that_died_while_seeding_is_completed_by_the_next(
    dynamodb: Api, kinesis: Api, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    with pytest.raises(Interrupted):
        await seed(DyingApi(dynamodb, 1), kinesis, stream, stream, TrimHorizon())
    report = await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    assert len(report.written) == 1
    assert len(await read_leases(dynamodb, stream)) == 2


async def test_a_resharded_stream_is_seeded_with_its_oldest_shards_and_never_their_children(
    dynamodb: Api, kinesis: Api, aws: Aws, stream: str
) -> None:
    split(aws, stream)
    await create_tables(dynamodb, stream)
    report = await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    assert report.written == ("shardId-000000000000", "shardId-000000000001")


async def test_a_restart_after_a_split_before_any_checkpoint_adds_and_resets_nothing(
    dynamodb: Api, kinesis: Api, aws: Aws, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    start = AtTimestamp(int(time.time()) + 1)
    await seed(dynamodb, kinesis, stream, stream, start, no_pause)
    before = await read_leases(dynamodb, stream)
    await asyncio.sleep(max(0.0, start.epoch_seconds + 0.05 - time.time()))
    split(aws, stream)
    report = await seed(dynamodb, kinesis, stream, stream, start, no_pause)
    assert report.written == ()
    assert await read_leases(dynamodb, stream) == before
    assert {lease.checkpoint for lease in before} == {"AT_TIMESTAMP"}


async def test_an_application_that_has_begun_is_left_as_it_is(
    dynamodb: Api, kinesis: Api, aws: Aws, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    checkpoint(aws, stream, "shardId-000000000000", "SHARD_END")
    aws.dynamodb.delete_item(TableName=stream, Key={"leaseKey": {"S": "shardId-000000000001"}})
    before = await read_leases(dynamodb, stream)
    report = await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    assert report.written == ()
    assert "has begun" in report.reason
    assert await read_leases(dynamodb, stream) == before


async def test_a_time_before_the_stream_s_oldest_shard_starts_at_the_trim_horizon_s_shards(
    dynamodb: Api, kinesis: Api, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    report = await seed(dynamodb, kinesis, stream, stream, AtTimestamp(1_600_000_000), no_pause)
    assert report.written == ("shardId-000000000000", "shardId-000000000001")
    assert {lease.checkpoint for lease in await read_leases(dynamodb, stream)} == {"AT_TIMESTAMP"}


async def test_a_lease_at_latest_is_moved_to_the_start_position(
    dynamodb: Api, kinesis: Api, aws: Aws, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    checkpoint(aws, stream, "shardId-000000000001", "LATEST")
    checkpoint(aws, stream, "shardId-000000000000", "4959")
    report = await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    assert report.moved == ("shardId-000000000001",)
    assert [lease.checkpoint for lease in await read_leases(dynamodb, stream)] == ["4959", "TRIM_HORIZON"]


class OneShardMissing:
    """Kinesis in the middle of a resharding: a listing without its last shard."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        answer = await self._api.call(operation, request, expect=expect)
        answer.body["Shards"].pop()
        return answer


async def test_a_listing_that_does_not_cover_all_hash_keys_seeds_nothing_and_says_so(
    dynamodb: Api, kinesis: Api, stream: str
) -> None:
    await create_tables(dynamodb, stream)
    report = await seed(dynamodb, OneShardMissing(kinesis), stream, stream, TrimHorizon(), no_pause)
    assert report.written == ()
    assert "do not cover" in report.reason
    assert await read_leases(dynamodb, stream) == []


async def test_many_leases_are_read_page_by_page(dynamodb: Api, aws: Aws, prefix: str) -> None:
    await create_tables(dynamodb, prefix)
    for number in range(25):
        aws.dynamodb.put_item(
            TableName=prefix,
            Item={
                "leaseKey": {"S": f"shardId-{number:012}"},
                "leaseOwner": {"S": "x" * 100_000},
                "leaseCounter": {"N": str(number)},
                "checkpoint": {"S": "4959"},
                "checkpointSubSequenceNumber": {"N": "7"},
                "ownerSwitchesSinceCheckpoint": {"N": "2"},
                "parentShardId": {"SS": ["shardId-a", "shardId-b"]},
            },
        )
    leases = await read_leases(dynamodb, prefix)
    assert [lease.counter for lease in leases] == list(range(25))
    assert leases[3].parents == {"shardId-a", "shardId-b"}
    assert (leases[3].sub_sequence_number, leases[3].owner_switches, leases[3].hash_range) == (7, 2, None)


async def test_one_lease_is_read_as_it_is_now(dynamodb: Api, kinesis: Api, aws: Aws, stream: str) -> None:
    await create_tables(dynamodb, stream)
    await seed(dynamodb, kinesis, stream, stream, TrimHorizon())
    aws.dynamodb.update_item(
        TableName=stream,
        Key={"leaseKey": {"S": "shardId-000000000001"}},
        UpdateExpression="SET leaseOwner = :pod",
        ExpressionAttributeValues={":pod": {"S": "pod-1"}},
    )
    lease = await read_lease(dynamodb, stream, "shardId-000000000001")
    assert lease is not None
    assert lease.owner == "pod-1"
    assert await read_lease(dynamodb, stream, "shardId-000000000009") is None


async def test_a_child_is_younger_than_the_trim_horizon_and_its_parent_is_not(
    kinesis: Api, aws: Aws, stream: str
) -> None:
    split(aws, stream)
    assert await was_open_at_trim_horizon(kinesis, stream, "shardId-000000000000")
    assert not await was_open_at_trim_horizon(kinesis, stream, "shardId-000000000002")
