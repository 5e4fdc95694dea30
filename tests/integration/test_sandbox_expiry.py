"""AWS: DynamoDB developer guide, "Using time to live (TTL)" and "DynamoDB Streams and Time to Live"."""

import time

from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws, session_of
from tests.integration.streams import changes, create_stream, create_table
from tests.support.waiting import eventually

SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def test_an_expired_item_is_deleted_by_the_service_and_others_stay(aws: Aws, prefix: str) -> None:
    create_table(aws, prefix, create_stream(aws.kinesis, prefix))
    aws.dynamodb.update_time_to_live(
        TableName=prefix, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    now = int(time.time())
    six_years = 6 * 366 * 24 * 3600
    for name, expires in (
        ("later", {"N": str(now + 1000)}),
        ("as text", {"S": str(now - 10)}),
        ("six years ago", {"N": str(now - six_years)}),
        ("expired", {"N": str(now - 1)}),
    ):
        aws.dynamodb.put_item(TableName=prefix, Item={"id": {"S": name}, "expires": expires})

    def removed() -> list[dict[str, object]]:
        return [change for change in changes(aws.kinesis, prefix) if change["eventName"] == "REMOVE"]

    (change,) = eventually(removed)
    assert change["userIdentity"] == SERVICE
    left = {item["id"]["S"] for item in aws.dynamodb.scan(TableName=prefix)["Items"]}
    assert left == {"later", "as text", "six years ago"}


def test_the_tables_own_stream_tells_of_expiry_too(aws: Aws, sandbox: SandboxProcess, prefix: str) -> None:
    create_table(aws, prefix, None)
    aws.dynamodb.update_table(
        TableName=prefix,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn = aws.dynamodb.describe_table(TableName=prefix)["Table"]["LatestStreamArn"]
    aws.dynamodb.update_time_to_live(
        TableName=prefix, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    aws.dynamodb.put_item(TableName=prefix, Item={"id": {"S": "a"}, "expires": {"N": str(int(time.time()))}})
    streams = session_of(sandbox).client("dynamodbstreams", endpoint_url=sandbox.endpoint)
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")

    def identities() -> dict[str, dict[str, str] | None]:
        records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        found = {record["eventName"]: record.get("userIdentity") for record in records}
        return found if "REMOVE" in found else {}

    assert eventually(identities) == {
        "INSERT": None,
        "REMOVE": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
    }
