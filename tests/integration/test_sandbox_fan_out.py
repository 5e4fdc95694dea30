"""AWS: Kinesis API reference, "SubscribeToShard"; developer guide, "Enhanced fan-out consumers"."""

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.integration.conftest import Aws
from tests.integration.streams import FIRST_SHARD, create_stream

if TYPE_CHECKING:
    from types_boto3_kinesis.type_defs import StartingPositionTypeDef, SubscribeToShardEventTypeDef

OLDEST: "StartingPositionTypeDef" = {"Type": "TRIM_HORIZON"}


def register(aws: Aws, stream_arn: str) -> str:
    answer = aws.kinesis.register_stream_consumer(StreamARN=stream_arn, ConsumerName="reader")
    return answer["Consumer"]["ConsumerARN"]


def read_to_end(
    aws: Aws, consumer: str, position: "StartingPositionTypeDef"
) -> "list[SubscribeToShardEventTypeDef]":
    answer = aws.kinesis.subscribe_to_shard(
        ConsumerARN=consumer, ShardId=FIRST_SHARD, StartingPosition=position
    )
    return [event["SubscribeToShardEvent"] for event in answer["EventStream"]]


def test_a_deep_shard_comes_in_events_of_a_few_megabytes(aws: Aws, prefix: str) -> None:
    arn = create_stream(aws.kinesis, prefix)
    for _ in range(3):
        aws.kinesis.put_records(
            StreamName=prefix, Records=[{"PartitionKey": "k", "Data": b"x" * 900_000} for _ in range(5)]
        )
    consumer = register(aws, arn)
    aws.kinesis.split_shard(StreamName=prefix, ShardToSplit=FIRST_SHARD, NewStartingHashKey=str(2**127))
    events = read_to_end(aws, consumer, OLDEST)
    assert sum(len(event["Records"]) for event in events) == 15
    assert max(sum(len(record["Data"]) for record in event["Records"]) for event in events) < 4_000_000


def test_a_closed_shard_ends_with_its_children_and_no_continuation(aws: Aws, prefix: str) -> None:
    arn = create_stream(aws.kinesis, prefix)
    consumer = register(aws, arn)
    put = [aws.kinesis.put_record(StreamName=prefix, PartitionKey="k", Data=b"1") for _ in range(3)]
    aws.kinesis.split_shard(StreamName=prefix, ShardToSplit=FIRST_SHARD, NewStartingHashKey=str(2**127))
    *_, last = read_to_end(
        aws, consumer, {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": put[0]["SequenceNumber"]}
    )
    assert [record["SequenceNumber"] for record in last["Records"]] == [
        one["SequenceNumber"] for one in put[1:]
    ]
    assert last.get("ContinuationSequenceNumber") is None
    assert [child["ParentShards"] for child in last["ChildShards"]] == [[FIRST_SHARD]] * 2
    assert last["MillisBehindLatest"] == 0


def test_a_continuation_goes_on_where_the_event_ended(aws: Aws, prefix: str) -> None:
    arn = create_stream(aws.kinesis, prefix)
    consumer = register(aws, arn)
    put = aws.kinesis.put_record(StreamName=prefix, PartitionKey="k", Data=b"1")
    answer = aws.kinesis.subscribe_to_shard(
        ConsumerARN=consumer, ShardId=FIRST_SHARD, StartingPosition=OLDEST
    )
    with closing(answer["EventStream"]) as events:
        first = next(iter(events))["SubscribeToShardEvent"]
    assert first["ContinuationSequenceNumber"] == put["SequenceNumber"]


def test_a_second_subscription_within_five_seconds_is_refused(aws: Aws, prefix: str) -> None:
    arn = create_stream(aws.kinesis, prefix)
    consumer = register(aws, arn)
    answer = aws.kinesis.subscribe_to_shard(
        ConsumerARN=consumer, ShardId=FIRST_SHARD, StartingPosition=OLDEST
    )
    with closing(answer["EventStream"]), pytest.raises(ClientError, match="ResourceInUse"):
        aws.kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=FIRST_SHARD, StartingPosition=OLDEST)
