import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from sandbox.errors import SandboxError
from sandbox.faults.fault import Fault, RequestKind
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws, connect
from tests.integration.streams import FIRST_SHARD, changes, create_stream, create_table, read_shard
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEY: "dict[str, AttributeValueTypeDef]" = {"id": {"S": "a"}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """A sandbox for this file alone: a fault that a failed test leaves must not strike other tests."""
    with SandboxProcess() as process:
        yield process


@pytest.fixture(scope="module")
def aws(sandbox: SandboxProcess) -> Aws:
    return connect(sandbox)


@pytest.fixture
def table(aws: Aws, prefix: str) -> str:
    """A table whose changes go to a stream of one shard; both have the prefix for a name."""
    create_table(aws, prefix, create_stream(aws.kinesis, prefix))
    return prefix


def status_and_code(error: ClientError) -> tuple[int, str]:
    return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("down", (503, "503")),
        ("throttle", (400, "ProvisionedThroughputExceededException")),
        ("fail", (500, "InternalServerError")),
        ("reject", (400, "ValidationException")),
    ],
)
def test_a_struck_request_fails_as_the_service_does_and_changes_nothing(
    aws: Aws, sandbox: SandboxProcess, table: str, kind: RequestKind, expected: tuple[int, str]
) -> None:
    with (
        sandbox.faults.applied(Fault(kind, "dynamodb", resource=table)),
        pytest.raises(ClientError) as caught,
    ):
        aws.dynamodb.put_item(TableName=table, Item=KEY)
    assert status_and_code(caught.value) == expected
    assert "Item" not in aws.dynamodb.get_item(TableName=table, Key=KEY)


def test_a_lost_answer_leaves_the_write_done(aws: Aws, sandbox: SandboxProcess, table: str) -> None:
    with sandbox.faults.applied(Fault("lose_answer", "dynamodb", "PutItem", table)):
        with pytest.raises(ClientError) as caught:
            aws.dynamodb.put_item(TableName=table, Item=KEY)
        assert status_and_code(caught.value) == (500, "InternalServerError")
        assert aws.dynamodb.get_item(TableName=table, Key=KEY)["Item"] == KEY


def test_a_conflict_is_told_for_the_first_of_a_transactions_items(
    aws: Aws, sandbox: SandboxProcess, table: str
) -> None:
    with sandbox.faults.applied(Fault("conflict", "dynamodb", resource=table)):
        with pytest.raises(aws.dynamodb.exceptions.TransactionCanceledException) as cancelled:
            aws.dynamodb.transact_write_items(
                TransactItems=[{"Put": {"TableName": table, "Item": {"id": {"S": name}}}} for name in "abc"]
            )
        with pytest.raises(aws.dynamodb.exceptions.TransactionConflictException):
            aws.dynamodb.put_item(TableName=table, Item=KEY)
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["TransactionConflict", "None", "None"]
    assert aws.dynamodb.scan(TableName=table)["Items"] == []


def test_control_operations_are_throttled_by_another_error(
    aws: Aws, sandbox: SandboxProcess, table: str
) -> None:
    with sandbox.faults.applied(Fault("throttle", "dynamodb"), Fault("throttle", "kinesis")):
        with pytest.raises(ClientError, match="ThrottlingException"):
            aws.dynamodb.describe_table(TableName=table)
        with pytest.raises(ClientError, match="LimitExceededException"):
            aws.kinesis.list_shards(StreamName=table)


def test_a_fault_strikes_its_operation_and_resource_only(
    aws: Aws, sandbox: SandboxProcess, table: str
) -> None:
    create_table(aws, f"{table}-other", None)
    with sandbox.faults.applied(Fault("fail", "dynamodb", "PutItem", f"{table}-o*")) as (fault_id,):
        aws.dynamodb.put_item(TableName=table, Item=KEY)
        aws.dynamodb.get_item(TableName=f"{table}-other", Key=KEY)
        with pytest.raises(ClientError):
            aws.dynamodb.put_item(TableName=f"{table}-other", Item=KEY)
        assert sandbox.faults.strikes(fault_id) == 1


def test_a_request_of_several_tables_is_struck_as_a_whole(
    aws: Aws, sandbox: SandboxProcess, table: str
) -> None:
    other = f"{table}-other"
    create_table(aws, other, None)
    with sandbox.faults.applied(Fault("fail", "dynamodb", resource=other)):
        with pytest.raises(ClientError):
            aws.dynamodb.transact_write_items(
                TransactItems=[{"Put": {"TableName": name, "Item": KEY}} for name in (table, other)]
            )
        with pytest.raises(ClientError):
            aws.dynamodb.batch_write_item(
                RequestItems={name: [{"PutRequest": {"Item": KEY}}] for name in (table, other)}
            )
    assert "Item" not in aws.dynamodb.get_item(TableName=table, Key=KEY)


def test_a_streams_fault_strikes_reads_by_iterator(aws: Aws, sandbox: SandboxProcess, table: str) -> None:
    iterator = aws.kinesis.get_shard_iterator(
        StreamName=table, ShardId=FIRST_SHARD, ShardIteratorType="LATEST"
    )["ShardIterator"]
    throttle = Fault("throttle", "kinesis", "GetRecords", table)
    with sandbox.faults.applied(throttle), pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        aws.kinesis.get_records(ShardIterator=iterator)
    assert aws.kinesis.get_records(ShardIterator=iterator)["Records"] == []


def test_queues_topics_and_buckets_are_struck_in_their_own_protocols(
    aws: Aws, sandbox: SandboxProcess, prefix: str
) -> None:
    queue = aws.sqs.create_queue(QueueName=prefix)["QueueUrl"]
    topic = aws.sns.create_topic(Name=prefix)["TopicArn"]
    aws.s3.create_bucket(Bucket=prefix)
    faults = [Fault("fail", service, resource=prefix) for service in ("sqs", "sns", "s3")]
    with sandbox.faults.applied(*faults) as fault_ids:
        with pytest.raises(ClientError) as caught:
            aws.sqs.send_message(QueueUrl=queue, MessageBody="{}")
        assert status_and_code(caught.value) == (500, "InternalError")
        with pytest.raises(ClientError) as caught:
            aws.sns.publish(TopicArn=topic, Message="{}")
        assert status_and_code(caught.value) == (500, "InternalFailure")
        with pytest.raises(ClientError) as caught:
            aws.s3.put_object(Bucket=prefix, Key="a/b", Body=b"{}")
        assert status_and_code(caught.value) == (500, "InternalError")
        assert [sandbox.faults.strikes(fault_id) for fault_id in fault_ids] == [1, 1, 1]
    aws.sqs.send_message(QueueUrl=queue, MessageBody="{}")
    aws.sns.publish(TopicArn=topic, Message="{}")
    aws.s3.put_object(Bucket=prefix, Key="a/b", Body=b"{}")


def test_a_delayed_request_is_carried_out(aws: Aws, sandbox: SandboxProcess, table: str) -> None:
    with sandbox.faults.applied(Fault("delay", "dynamodb", delay_seconds=0.01)) as (fault_id,):
        aws.dynamodb.put_item(TableName=table, Item=KEY)
        assert sandbox.faults.strikes(fault_id) == 1
    assert aws.dynamodb.get_item(TableName=table, Key=KEY)["Item"] == KEY


def test_a_rate_strikes_some_requests(aws: Aws, sandbox: SandboxProcess, table: str) -> None:
    with sandbox.faults.applied(Fault("delay", "dynamodb", rate=0.5)) as (fault_id,):
        for _ in range(40):
            aws.dynamodb.get_item(TableName=table, Key=KEY)
        assert 0 < sandbox.faults.strikes(fault_id) < 40


def test_a_fault_with_seconds_ends_by_itself(sandbox: SandboxProcess) -> None:
    sandbox.faults.add(Fault("down", "sqs", seconds=0.05))
    assert eventually(lambda: sandbox.faults.list() == [])


def test_faults_are_listed_until_they_are_cleared(sandbox: SandboxProcess) -> None:
    faults = [Fault("down", "events", "PutEvents"), Fault("swap", "kinesis", rate=0.25)]
    for fault in faults:
        sandbox.faults.add(fault)
    assert [applied.fault for applied in sandbox.faults.list()] == faults
    sandbox.faults.clear()
    assert sandbox.faults.list() == []


def test_a_fault_of_no_known_kind_is_refused_with_the_field(sandbox: SandboxProcess) -> None:
    wrong = Fault("nonsense", "dynamodb")  # type: ignore[arg-type]  # the wrong kind is the case
    with pytest.raises(SandboxError, match=r"nonsense.*\$\.kind"):
        sandbox.faults.add(wrong)


def test_duplicated_records_come_twice_the_second_later(
    aws: Aws, sandbox: SandboxProcess, table: str
) -> None:
    with sandbox.faults.applied(Fault("duplicate", "kinesis", resource=table)):
        for index in range(3):
            aws.dynamodb.put_item(TableName=table, Item={"id": {"S": str(index)}})

    def names() -> list[str]:
        found = [json.loads(record["Data"]) for record in read_shard(aws.kinesis, table).records]
        names = [change["dynamodb"]["Keys"]["id"]["S"] for change in found]
        return names if len(names) >= 6 else []

    assert sorted(eventually(names)) == ["0", "0", "1", "1", "2", "2"]


def test_swapped_records_change_places_and_none_is_lost(
    aws: Aws, sandbox: SandboxProcess, table: str
) -> None:
    with sandbox.faults.applied(Fault("swap", "kinesis", resource=table)):
        aws.dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": {"id": {"S": str(index)}}}} for index in range(5)
            ]
        )

    def names() -> list[str]:
        found = [json.loads(record["Data"]) for record in read_shard(aws.kinesis, table).records]
        return [change["dynamodb"]["Keys"]["id"]["S"] for change in found]

    eventually(lambda: len(names()) == 5)
    assert names() == ["1", "0", "3", "2", "4"]


def test_a_coarse_clock_makes_writes_tie(aws: Aws, sandbox: SandboxProcess, table: str) -> None:
    with sandbox.faults.applied(Fault("coarse_clock", "kinesis", resource=table, delay_seconds=3600)):
        for index in range(3):
            aws.dynamodb.put_item(TableName=table, Item={"id": {"S": str(index)}})
    details = [change["dynamodb"] for change in changes(aws.kinesis, table)]
    times = {detail["ApproximateCreationDateTime"] for detail in details if isinstance(detail, dict)}
    assert len(details) == 3
    assert all(time % 3_600_000_000 == 0 for time in times)
    assert len(times) <= 2  # the hour may have turned
