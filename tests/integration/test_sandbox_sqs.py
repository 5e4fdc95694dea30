"""The sandbox's SQS refuses what AWS refuses."""

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.integration.conftest import Aws

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageAttributeValueTypeDef

LIMIT = 2_048
ATTRIBUTES: "dict[str, MessageAttributeValueTypeDef]" = {
    "name": {"DataType": "String", "StringValue": "vålue"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00" * 7},
}
SIZE_OF_ATTRIBUTES = len("name") + len("String") + len("vålue".encode()) + len("bytes") + len("Binary") + 7


@pytest.fixture
def queue(aws: Aws, prefix: str) -> str:
    return aws.sqs.create_queue(QueueName=prefix, Attributes={"MaximumMessageSize": str(LIMIT)})["QueueUrl"]


def test_a_message_is_as_large_as_its_body_and_attributes_together(aws: Aws, queue: str) -> None:
    fits = "x" * (LIMIT - SIZE_OF_ATTRIBUTES)
    aws.sqs.send_message(QueueUrl=queue, MessageBody=fits, MessageAttributes=ATTRIBUTES)

    with pytest.raises(ClientError, match=f"InvalidParameterValue.*must be shorter than {LIMIT} bytes"):
        aws.sqs.send_message(QueueUrl=queue, MessageBody=fits + "x", MessageAttributes=ATTRIBUTES)


def test_a_message_without_attributes_may_be_as_large_as_the_limit(aws: Aws, queue: str) -> None:
    aws.sqs.send_message(QueueUrl=queue, MessageBody="x" * LIMIT)

    with pytest.raises(ClientError, match="must be shorter than"):
        aws.sqs.send_message(QueueUrl=queue, MessageBody="x" * (LIMIT + 1))


def test_a_message_of_a_batch_that_is_too_large_fails_alone(aws: Aws, queue: str) -> None:
    large = "x" * (LIMIT - SIZE_OF_ATTRIBUTES + 1)

    answer = aws.sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "large", "MessageBody": large, "MessageAttributes": ATTRIBUTES},
            {"Id": "small", "MessageBody": "x", "MessageAttributes": ATTRIBUTES},
        ],
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["small"]
    assert [entry["Id"] for entry in answer["Failed"]] == ["large"]
