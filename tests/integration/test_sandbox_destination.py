"""AWS: DynamoDB developer guide, "Using Kinesis Data Streams to capture changes to DynamoDB"."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.integration.conftest import Aws
from tests.integration.streams import Precision, changes, create_stream, create_table, read_shard

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Details(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """The `dynamodb` member of a record."""

    approximate_creation_date_time: int
    approximate_creation_date_time_precision: Precision
    keys: dict[str, dict[str, str]]
    size_bytes: int
    new_image: dict[str, dict[str, object]] | None = None
    old_image: dict[str, dict[str, object]] | None = None


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A record in AWS's shape: every field there is, and no other."""

    aws_region: str
    event_name: str
    user_identity: dict[str, str] | None
    record_format: str
    table_name: str
    dynamodb: Details
    event_source: str
    event_id: str = msgspec.field(name="eventID")


def decoded(aws: Aws, stream: str) -> list[Change]:
    return [
        msgspec.json.decode(record["Data"], type=Change) for record in read_shard(aws.kinesis, stream).records
    ]


def put(aws: Aws, table: str, **attributes: "AttributeValueTypeDef") -> None:
    aws.dynamodb.put_item(TableName=table, Item=attributes)


@pytest.fixture
def table(aws: Aws, prefix: str) -> str:
    """A table whose changes go to a stream of one shard; both have the prefix for a name."""
    create_table(aws, prefix, create_stream(aws.kinesis, prefix))
    return prefix


def test_records_have_the_shape_that_aws_sends(aws: Aws, table: str) -> None:
    put(aws, table, id={"S": "a"}, total={"N": "1"})
    put(aws, table, id={"S": "a"}, total={"N": "2"})
    aws.dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    found = decoded(aws, table)
    one, two = {"id": {"S": "a"}, "total": {"N": "1"}}, {"id": {"S": "a"}, "total": {"N": "2"}}
    images = [(one, None), (two, one), (None, two)]
    assert [change.event_name for change in found] == ["INSERT", "MODIFY", "REMOVE"]
    assert [(change.dynamodb.new_image, change.dynamodb.old_image) for change in found] == images
    for change in found:
        assert change.dynamodb.keys == {"id": {"S": "a"}}
        assert change.dynamodb.size_bytes > 0
        assert UUID.fullmatch(change.event_id)
        assert (change.aws_region, change.table_name, change.event_source) == (
            "us-east-1",
            table,
            "aws:dynamodb",
        )
        assert (change.record_format, change.user_identity) == ("application/json", None)


def test_an_item_has_one_partition_key_of_32_hex_digits_and_others_have_others(aws: Aws, table: str) -> None:
    for name in ("a", "b", "a"):
        put(aws, table, id={"S": name}, at={"S": f"{name} {len(changes(aws.kinesis, table))}"})
    first, other, again = (record["PartitionKey"] for record in read_shard(aws.kinesis, table).records)
    assert first == again != other
    assert re.fullmatch(r"[0-9a-f]{32}", first)


def test_a_write_that_changes_nothing_sends_no_record(aws: Aws, table: str) -> None:
    put(aws, table, id={"S": "a"}, tags={"SS": ["x", "y"]})
    put(aws, table, id={"S": "a"}, tags={"SS": ["y", "x"]})
    aws.dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET tags = :tags",
        ExpressionAttributeValues={":tags": {"SS": ["x", "y"]}},
    )
    aws.dynamodb.delete_item(TableName=table, Key={"id": {"S": "not there"}})
    assert [change.event_name for change in decoded(aws, table)] == ["INSERT"]


def test_every_kind_of_write_sends_its_record(aws: Aws, table: str) -> None:
    key: dict[str, AttributeValueTypeDef] = {"id": {"S": "c"}}
    aws.dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]})
    aws.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": {"id": {"S": "b"}}}},
            {"Delete": {"TableName": table, "Key": {"id": {"S": "a"}}}},
        ]
    )
    aws.dynamodb.update_item(
        TableName=table, Key=key, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "1"}}
    )
    aws.dynamodb.execute_statement(Statement=f"DELETE FROM \"{table}\" WHERE id = 'c'")  # noqa: S608 - a sandbox's table
    found = [(change.event_name, change.dynamodb.keys["id"]["S"]) for change in decoded(aws, table)]
    assert found == [("INSERT", "a"), ("INSERT", "b"), ("REMOVE", "a"), ("INSERT", "c"), ("REMOVE", "c")]


def test_microseconds_never_tie_nor_go_back_in_a_table(aws: Aws, table: str) -> None:
    aws.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": {"id": {"S": str(index)}}}} for index in range(100)
        ]
    )
    times = [change.dynamodb.approximate_creation_date_time for change in decoded(aws, table)]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert len(str(times[0])) == 16


def test_the_precision_is_milliseconds_unless_asked_for_and_can_be_changed(aws: Aws, prefix: str) -> None:
    arn = create_stream(aws.kinesis, prefix)
    create_table(aws, prefix, None)
    aws.dynamodb.enable_kinesis_streaming_destination(TableName=prefix, StreamArn=arn)
    put(aws, prefix, id={"S": "a"})
    aws.dynamodb.update_kinesis_streaming_destination(
        TableName=prefix,
        StreamArn=arn,
        UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    put(aws, prefix, id={"S": "b"})
    described = aws.dynamodb.describe_kinesis_streaming_destination(TableName=prefix)
    destination = described["KinesisDataStreamDestinations"][0]
    assert destination["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    details = [change.dynamodb for change in decoded(aws, prefix)]
    assert [one.approximate_creation_date_time_precision for one in details] == ["MILLISECOND", "MICROSECOND"]
    assert [len(str(one.approximate_creation_date_time)) for one in details] == [13, 16]


def test_a_disabled_destination_sends_nothing(aws: Aws, prefix: str) -> None:
    arn = create_stream(aws.kinesis, prefix)
    create_table(aws, prefix, arn)
    aws.dynamodb.disable_kinesis_streaming_destination(TableName=prefix, StreamArn=arn)
    put(aws, prefix, id={"S": "a"})
    assert changes(aws.kinesis, prefix) == []


def test_all_attribute_types_come_as_they_are_stored(aws: Aws, table: str) -> None:
    item: dict[str, AttributeValueTypeDef] = {
        "id": {"S": "a"},
        "empty": {"S": ""},
        "number": {"N": "1234567890123456789012345678.0123456789"},
        "binary": {"B": b"\x00\xff"},
        "yes": {"BOOL": True},
        "nothing": {"NULL": True},
        "texts": {"SS": ["x", "y"]},
        "numbers": {"NS": ["-1", "2.5"]},
        "binaries": {"BS": [b"\x01"]},
        "list": {"L": [{"NULL": True}, {"M": {}}, {"L": []}]},
        "map": {"M": {"deep": {"L": [{"N": "0"}]}}},
    }
    put(aws, table, **item)
    image = decoded(aws, table)[0].dynamodb.new_image
    assert image == item | {"binary": {"B": "AP8="}, "binaries": {"BS": ["AQ=="]}}


def test_add_keeps_38_digits(aws: Aws, table: str) -> None:
    put(aws, table, id={"S": "a"}, n={"N": "12345678901234567890123456789012345670"})
    answer = aws.dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}},
        UpdateExpression="ADD n :one SET m = n + :one",
        ExpressionAttributeValues={":one": {"N": "8"}},
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"]["n"] == {"N": "12345678901234567890123456789012345678"}
