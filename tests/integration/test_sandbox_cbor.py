"""The AWS SDK for Java speaks CBOR to Kinesis: a timestamp is tag 1 over milliseconds, a blob is bytes."""

import time
from typing import Any
from urllib.request import Request, urlopen

import cbor2

from sandbox.process import SandboxProcess
from tests.integration.streams import FIRST_SHARD

MILLISECONDS = {1: lambda value, _frozen: ("timestamp", value)}


def call(sandbox: SandboxProcess, operation: str, body: dict[str, object]) -> dict[str, Any]:
    scope = "sandbox/20260131/us-east-1/kinesis/aws4_request"
    request = Request(  # noqa: S310 - the endpoint is the sandbox's
        sandbox.endpoint,
        data=cbor2.dumps(body),
        headers={
            "Content-Type": "application/x-amz-cbor-1.1",
            "X-Amz-Target": f"Kinesis_20131202.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        },
    )
    with urlopen(request, timeout=10) as response:  # noqa: S310 - as above
        answer: dict[str, Any] = cbor2.loads(response.read(), semantic_decoders=MILLISECONDS)
    return answer


def test_records_go_through_cbor_as_bytes_with_timestamps_in_milliseconds(
    sandbox: SandboxProcess, prefix: str
) -> None:
    begun = int(time.time() * 1000) - 1
    call(sandbox, "CreateStream", {"StreamName": prefix, "ShardCount": 1})
    call(sandbox, "PutRecord", {"StreamName": prefix, "PartitionKey": "k", "Data": b"\x00\xff"})
    position = {
        "StreamName": prefix,
        "ShardId": FIRST_SHARD,
        "ShardIteratorType": "AT_TIMESTAMP",
        "Timestamp": cbor2.CBORTag(1, begun),
    }
    iterator = call(sandbox, "GetShardIterator", position)["ShardIterator"]
    (record,) = call(sandbox, "GetRecords", {"ShardIterator": iterator})["Records"]
    assert record["Data"] == b"\x00\xff"
    kind, milliseconds = record["ApproximateArrivalTimestamp"]
    assert (kind, type(milliseconds)) == ("timestamp", int)
    assert begun <= milliseconds <= time.time() * 1000 + 1
