"""What a request is about: its service, its operation, and the resources it names. Pure.

The service is the one the request is signed for (Signature Version 4, credential scope); the operation is in
X-Amz-Target (JSON protocols), in Action (query protocol), or in method and path (S3).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from sandbox.kinesis import cbor
from sandbox.kinesis.reading import stream_of_iterator

SIGNED_FOR = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
STATEMENT_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?([A-Za-z0-9_.-]{3,255})"?', re.IGNORECASE)
STREAMS_TARGET = "DynamoDBStreams_20120810."

# Members that name a resource, by name, ARN or URL, wherever in a request they stand.
NAMING = frozenset(
    {
        *("TableName", "StreamName", "StreamARN", "StreamArn", "ConsumerARN", "ResourceARN", "ResourceArn"),
        *("QueueUrl", "QueueName", "TopicArn", "TargetArn", "EventBusName", "Bucket"),
    }
)
# (method, whether a key is named) -> operation of S3
S3_OPERATIONS: Mapping[tuple[str, bool], str] = {
    ("PUT", False): "CreateBucket",
    ("GET", False): "ListObjectsV2",
    ("HEAD", False): "HeadBucket",
    ("DELETE", False): "DeleteBucket",
    ("PUT", True): "PutObject",
    ("GET", True): "GetObject",
    ("HEAD", True): "HeadObject",
    ("DELETE", True): "DeleteObject",
}


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """A request, as far as the faults look at it. `body` is as sent; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def service(self) -> str:
        """The service, or "" for a request that is not signed."""
        if self.headers.get("x-amz-target", "").startswith(STREAMS_TARGET):
            return "dynamodbstreams"  # signed for as dynamodb
        signed = SIGNED_FOR.search(self.headers.get("authorization", ""))
        return signed[1] if signed else ""

    @property
    def operation(self) -> str:
        """The operation as AWS writes it, or ""."""
        target = self.headers.get("x-amz-target", "")
        if target:
            return target.rpartition(".")[2]
        if self.service == "s3":
            return S3_OPERATIONS.get((self.method, "/" in self.path.strip("/")), "")
        return self._form().get("Action", "")

    def resources(self) -> frozenset[str]:
        """Return the names of all resources it names; an ARN or a URL counts as such and by its last part."""
        if self.service == "s3":
            return frozenset({unquote(self.path).strip("/").partition("/")[0]})
        return frozenset(name for value in self._named() for name in names_of(value))

    def _named(self) -> Iterator[str]:
        if "x-amz-target" not in self.headers:
            yield from (value for member, value in self._form().items() if member in NAMING)
            return
        if "cbor" in self.headers.get("content-type", ""):
            yield from _named_in(cbor.loads(self.body))
            return
        try:
            yield from _named_in(json.loads(self.body or b"{}"))
        except ValueError:
            return  # ministack will refuse it

    def _form(self) -> dict[str, str]:
        text = self.body.decode("utf-8", errors="replace")
        return {member: values[-1] for member, values in parse_qs(text).items()}


def names_of(value: str) -> Iterator[str]:
    """Yield a name, or an ARN or URL and the name in it."""
    yield value
    resource = value.split(":", 5)[-1] if value.startswith("arn:") else value
    kind, _, rest = resource.partition("/")
    if kind in {"stream", "table", "event-bus"}:
        yield rest.partition("/")[0]
    elif resource != value or "/" in resource:
        yield resource.rpartition("/")[2]


def _named_in(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _named_in(inner)
    elif isinstance(value, dict):
        for member, inner in value.items():
            if member == "RequestItems" and isinstance(inner, dict):
                yield from inner  # BatchGetItem and BatchWriteItem: tables are keys
            elif isinstance(inner, str):
                yield from _named_by(member, inner)
            elif member not in {"Item", "Key", "Records", "Entries"}:  # data, which may be large
                yield from _named_in(inner)
            elif member == "Entries":
                yield from (entry["EventBusName"] for entry in inner if "EventBusName" in entry)


def _named_by(member: str, value: str) -> Iterator[str]:
    if member in NAMING:
        yield value
    elif member == "ShardIterator":
        yield from stream_of_iterator(value)
    elif member == "Statement":
        yield from STATEMENT_TABLE.findall(value)
