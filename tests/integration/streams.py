"""Tables and streams for tests: made with one call each, and read to their end."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from tests.integration.conftest import Aws

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef, ShardTypeDef

Precision = Literal["MILLISECOND", "MICROSECOND"]
FIRST_SHARD = "shardId-000000000000"


@dataclass(frozen=True, slots=True)
class ShardEnd:
    """A shard read from its oldest record on: its records, and the last answer, which may tell its end."""

    records: "list[RecordTypeDef]"
    last: "GetRecordsOutputTypeDef"


def create_stream(kinesis: "KinesisClient", name: str, shards: int = 1) -> str:
    """Create a stream and return its ARN."""
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]


def shards_of(kinesis: "KinesisClient", name: str) -> "dict[str, ShardTypeDef]":
    """Return all listed shards by id."""
    return {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName=name)["Shards"]}


def read_shard(kinesis: "KinesisClient", stream: str, shard: str = FIRST_SHARD) -> ShardEnd:
    """Read a shard's records until none is left."""
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    records: list[RecordTypeDef] = []
    while True:
        answer = kinesis.get_records(ShardIterator=iterator)
        records += answer["Records"]
        if not (answer.get("NextShardIterator") and answer["Records"]):
            return ShardEnd(records, answer)
        iterator = answer["NextShardIterator"]


def create_table(aws: Aws, name: str, stream_arn: str | None, precision: Precision = "MICROSECOND") -> None:
    """Create a table with the key `id`, and its Kinesis destination where a stream is given."""
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    if stream_arn is not None:
        aws.dynamodb.enable_kinesis_streaming_destination(
            TableName=name,
            StreamArn=stream_arn,
            EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": precision},
        )


def changes(kinesis: "KinesisClient", stream: str) -> list[dict[str, object]]:
    """Return the change records in a stream of one shard, decoded, in the stream's order."""
    records = read_shard(kinesis, stream).records
    return [msgspec.json.decode(record["Data"], type=dict[str, object]) for record in records]
