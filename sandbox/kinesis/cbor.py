"""CBOR bodies, which the Java SDK speaks unless it is told not to: timestamps, and data as bytes.

The gap: ministack writes timestamps as plain seconds and data as base64 text, and can't read a timestamp at
all. The AWS SDKs write a timestamp as tag 1 over whole milliseconds, and a blob as a byte string. A ministack
that does so lets this go.
"""

import base64
from collections.abc import Awaitable, Callable

import cbor2
import orjson

from sandbox.emulator import Service
from sandbox.wire import Response

EPOCH_TAG = 1
TIMESTAMPS = frozenset(
    {
        "ApproximateArrivalTimestamp",
        "ConsumerCreationTimestamp",
        "StreamCreationTimestamp",
        "Timestamp",
    }
)

Handle = Callable[[str, str, dict[str, str], bytes, object], Awaitable[tuple[int, dict[str, str], object]]]


def dumps(payload: object) -> bytes:
    """Write JSON values as the SDKs' CBOR."""
    return cbor2.dumps(_tagged(payload))


def loads(body: bytes) -> object:
    """Read the SDKs' CBOR into JSON values; raises cbor2.CBORDecodeError."""
    return _plain(cbor2.loads(body, semantic_decoders={EPOCH_TAG: lambda value, _frozen: value / 1000}))


def _tagged(value: object, name: str = "") -> object:
    if isinstance(value, dict):
        return {key: _tagged(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_tagged(inner, name) for inner in value]
    if name in TIMESTAMPS and isinstance(value, int | float):
        return cbor2.CBORTag(EPOCH_TAG, round(value * 1000))
    if name == "Data" and isinstance(value, str):
        return base64.b64decode(value)
    return value


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def apply(kinesis: Service) -> None:
    """Give ministack's handler JSON values, and put its answer into CBOR ourselves.

    It reads CBOR once more and so still sees that the client speaks it, which SubscribeToShard needs to know.
    """
    handle: Handle = kinesis["handle_request"]

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: object
    ) -> Response | tuple[int, dict[str, str], object]:
        if "cbor" not in headers.get("content-type", "") or not body:
            return await handle(method, path, headers, body, query)
        status, answered, answer = await handle(method, path, headers, cbor2.dumps(loads(body)), query)
        if not isinstance(answer, bytes):
            return status, answered, answer
        # An error of ours is JSON as yet where ministack found no use for CBOR; it never starts a CBOR map.
        payload = orjson.loads(answer) if answer.startswith(b"{") else cbor2.loads(answer)
        return status, {**answered, "Content-Type": "application/x-amz-cbor-1.1"}, dumps(payload)

    kinesis["handle_request"] = handle_request
