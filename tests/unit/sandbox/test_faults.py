import json
import random

import cbor2
import pytest

from sandbox.faults.fault import Fault
from sandbox.faults.request import AwsRequest
from sandbox.faults.switch import FaultSwitch


def json_request(target: str, body: object, service: str = "dynamodb") -> AwsRequest:
    return AwsRequest("POST", "/", signed(service) | {"x-amz-target": target}, json.dumps(body).encode())


def signed(service: str) -> dict[str, str]:
    scope = f"sandbox/20260131/us-east-1/{service}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}


@pytest.mark.parametrize(
    ("request_", "service", "operation"),
    [
        (json_request("DynamoDB_20120810.PutItem", {}), "dynamodb", "PutItem"),
        (json_request("DynamoDBStreams_20120810.GetRecords", {}), "dynamodbstreams", "GetRecords"),
        (json_request("Kinesis_20131202.GetRecords", {}, "kinesis"), "kinesis", "GetRecords"),
        (json_request("AmazonSQS.SendMessage", {}, "sqs"), "sqs", "SendMessage"),
        (AwsRequest("POST", "/", signed("sns"), b"Action=Publish&TopicArn=x"), "sns", "Publish"),
        (AwsRequest("PUT", "/bucket/a/b", signed("s3"), b""), "s3", "PutObject"),
        (AwsRequest("GET", "/bucket", signed("s3"), b""), "s3", "ListObjectsV2"),
        (AwsRequest("GET", "/", {}, b""), "", ""),
    ],
)
def test_service_and_operation_are_read_from_what_each_protocol_has(
    request_: AwsRequest, service: str, operation: str
) -> None:
    assert (request_.service, request_.operation) == (service, operation)


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (json_request("D.PutItem", {"TableName": "orders", "Item": {"TableName": {"S": "no"}}}), {"orders"}),
        (json_request("D.BatchWriteItem", {"RequestItems": {"a-b": [], "c-d": []}}), {"a-b", "c-d"}),
        (
            json_request(
                "D.TransactWriteItems",
                {"TransactItems": [{"Put": {"TableName": "a-b"}}, {"Delete": {"TableName": "c-d"}}]},
            ),
            {"a-b", "c-d"},
        ),
        (json_request("D.ExecuteStatement", {"Statement": 'UPDATE "a-b" SET x = 1'}), {"a-b"}),
        (
            json_request("D.BatchExecuteStatement", {"Statements": [{"Statement": "DELETE FROM abc"}]}),
            {"abc"},
        ),
        (
            json_request(
                "D.DescribeTable", {"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/orders"}
            ),
            {"orders", "arn:aws:dynamodb:us-east-1:000000000000:table/orders"},
        ),
        (
            json_request("K.SubscribeToShard", {"ConsumerARN": "arn:aws:kinesis:r:1:stream/s/consumer/c:1"}),
            {"s", "arn:aws:kinesis:r:1:stream/s/consumer/c:1"},
        ),
        (
            json_request("AmazonSQS.SendMessage", {"QueueUrl": "http://127.0.0.1:1/0/q", "MessageBody": "x"}),
            {"q", "http://127.0.0.1:1/0/q"},
        ),
        (
            json_request("AWSEvents.PutEvents", {"Entries": [{"EventBusName": "shop"}, {"Detail": "{}"}]}),
            {"shop"},
        ),
        (json_request("K.GetRecords", {"ShardIterator": "not one of ours"}), set()),
        (
            AwsRequest("POST", "/", signed("sns"), b"Action=Publish&TopicArn=arn%3Aaws%3Asns%3Ar%3A1%3At"),
            {"arn:aws:sns:r:1:t", "t"},
        ),
        (AwsRequest("PUT", "/bucket/key", signed("s3"), b""), {"bucket"}),
        (AwsRequest("POST", "/", {"x-amz-target": "D.PutItem"}, b"{not json"), set()),
        (
            AwsRequest(
                "POST",
                "/",
                {"x-amz-target": "K.PutRecord", "content-type": "application/x-amz-cbor-1.1"},
                cbor2.dumps({"StreamName": "orders", "Data": b"\x00"}),
            ),
            {"orders"},
        ),
    ],
)
def test_all_resources_a_request_names_are_found(request_: AwsRequest, names: set[str]) -> None:
    assert request_.resources() == names


def switch(rate_of_dice: int = 0) -> FaultSwitch:
    return FaultSwitch(lambda: 0.0, random.Random(rate_of_dice))


def test_a_fault_that_is_off_strikes_nothing() -> None:
    faults = switch()
    fault_id = faults.add(Fault("fail", "dynamodb"))
    request = json_request("DynamoDB_20120810.PutItem", {"TableName": "orders"})
    assert len(faults.strike_request(request)) == 1
    faults.remove(fault_id)
    faults.remove(fault_id)
    assert faults.strike_request(request) == []


def test_the_same_seed_strikes_the_same_requests() -> None:
    request = json_request("DynamoDB_20120810.PutItem", {"TableName": "orders"})

    def strikes() -> list[bool]:
        faults = switch(7)
        faults.add(Fault("fail", "dynamodb", rate=0.5))
        return [bool(faults.strike_request(request)) for _ in range(50)]

    assert strikes() == strikes()
    assert 0 < sum(strikes()) < 50


def test_faults_on_records_strike_no_requests_and_the_other_way_round() -> None:
    faults = switch()
    faults.add(Fault("duplicate", "kinesis"))
    faults.add(Fault("fail", "kinesis"))
    request = json_request("Kinesis_20131202.GetRecords", {"StreamName": "orders"}, "kinesis")
    assert [fault.kind for fault in faults.strike_request(request)] == ["fail"]
    assert [fault.kind for fault in faults.strike_record("orders", "arn:aws:kinesis:r:1:stream/s")] == [
        "duplicate"
    ]


@pytest.mark.parametrize(
    ("resource", "struck"), [("orders", True), ("s-*", True), ("other", False), (None, True)]
)
def test_a_fault_on_records_goes_by_table_or_stream(resource: str | None, struck: bool) -> None:  # noqa: FBT001 - a case
    faults = switch()
    faults.add(Fault("swap", "kinesis", resource=resource))
    assert bool(faults.strike_record("orders", "arn:aws:kinesis:r:1:stream/s-1")) is struck
