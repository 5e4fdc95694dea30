"""ListShards with its filter and its pages; closed shards and their ends in every description.

The gap: ministack ignores ShardFilter, leaves out EndingSequenceNumber, and counts closed shards as open. AWS
(API reference, "ListShards" and "ShardFilter"): the filters are the table below; NextToken stands alone and
remembers the filter; tokens live for 300 s. The KCL does not start on a stream that was resharded unless
AT_TRIM_HORIZON is right. A ministack that honours ShardFilter lets this go.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.emulator import Service
from sandbox.kinesis.model import (
    Shard,
    Stream,
    hash_key_range,
    is_open,
    open_shards,
    trim_horizon,
    was_open_at,
)
from sandbox.kinesis.streams import Clock, Streams
from sandbox.wire import Payload, RefusedError, Request, Response, handler

PAGE_SIZE = 1000
TOKEN_SECONDS = 300

# Whether a filter takes a shard: (shard id, shard, the filter's time, the filter's shard id) -> bool.
# The time is the trim horizon for the *_TRIM_HORIZON filters, and never before it for the *_TIMESTAMP ones.
FILTERS: dict[str, Callable[[str, Shard, float, str], bool]] = {
    "AFTER_SHARD_ID": lambda shard_id, _shard, _time, after: shard_id > after,
    "AT_TRIM_HORIZON": lambda _id, shard, time, _after: was_open_at(shard, time),
    "FROM_TRIM_HORIZON": lambda _id, shard, time, _after: _ended_at_or_after(shard, time),
    "AT_LATEST": lambda _id, shard, _time, _after: is_open(shard),
    "AT_TIMESTAMP": lambda _id, shard, time, _after: was_open_at(shard, time),
    "FROM_TIMESTAMP": lambda _id, shard, time, _after: _ended_at_or_after(shard, time),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Answers ListShards."""

    streams: Streams
    clock: Clock

    def list_shards(self, request: Request) -> Payload:
        """ListShards, a page of it."""
        token = request.get("NextToken")
        if token is None:
            stream = self.streams.of(request)
            chosen, after = request.get("ShardFilter"), request.get("ExclusiveStartShardId", "")
        else:
            for other in ("StreamName", "ExclusiveStartShardId", "StreamCreationTimestamp"):
                if request.get(other):
                    raise RefusedError(
                        "InvalidArgumentException", f"NextToken and {other} cannot be provided together."
                    )
            arn, chosen, after = self._read_token(token)
            stream = self.streams.by_arn(arn)
        size = min(int(request.get("MaxResults", PAGE_SIZE)), PAGE_SIZE)
        found = [shard_id for shard_id in sorted(self._filtered(stream, chosen)) if shard_id > after]
        page = found[:size]
        payload: dict[str, object] = {"Shards": [describe(one, stream["shards"][one]) for one in page]}
        if len(found) > size:
            payload["NextToken"] = self._token(stream, chosen, page[-1])
        return payload

    def _filtered(self, stream: Stream, chosen: dict[str, Any] | None) -> list[str]:
        chosen = chosen or {"Type": "FROM_TRIM_HORIZON"}
        accepts = FILTERS.get(chosen.get("Type", ""))
        if accepts is None:
            raise RefusedError(
                "InvalidArgumentException", f"ShardFilter.Type must be one of {sorted(FILTERS)}."
            )
        horizon = trim_horizon(stream, self.clock())
        time = max(horizon, float(chosen.get("Timestamp", 0.0)))
        after = chosen.get("ShardId", "")
        return [one for one, shard in stream["shards"].items() if accepts(one, shard, time, after)]

    def _token(self, stream: Stream, chosen: dict[str, Any] | None, after: str) -> str:
        content = [stream["StreamARN"], chosen, after, self.clock()]
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

    def _read_token(self, token: str) -> tuple[str, dict[str, Any] | None, str]:
        try:
            arn, chosen, after, made_at = json.loads(base64.urlsafe_b64decode(token))
        except (ValueError, binascii.Error):
            raise RefusedError("InvalidArgumentException", "Invalid NextToken.") from None
        if self.clock() - made_at > TOKEN_SECONDS:
            raise RefusedError(
                "ExpiredNextTokenException", f"NextToken expired: it lives for {TOKEN_SECONDS} s."
            )
        return arn, chosen, after


def describe(shard_id: str, shard: Shard) -> dict[str, object]:
    """Return AWS's Shard."""
    numbers = {"StartingSequenceNumber": shard["starting_sequence_number"]}
    if shard["ending_sequence_number"]:
        numbers["EndingSequenceNumber"] = shard["ending_sequence_number"]
    description: dict[str, object] = {
        "ShardId": shard_id,
        "HashKeyRange": hash_key_range(shard),
        "SequenceNumberRange": numbers,
    }
    if shard["parent_shard_id"]:
        description["ParentShardId"] = shard["parent_shard_id"]
    if shard["adjacent_parent_shard_id"]:
        description["AdjacentParentShardId"] = shard["adjacent_parent_shard_id"]
    return description


def apply(kinesis: Service, clock: Clock) -> None:
    """Replace ListShards and the description of a shard, and correct the summary's count."""
    streams = Streams(kinesis, clock)
    summarise = kinesis["_describe_stream_summary"]

    def summary(request: Request) -> Response:
        status, headers, body = summarise(request)
        if status != 200:  # noqa: PLR2004 - HTTP's OK
            return status, headers, body
        payload = orjson.loads(body)
        payload["StreamDescriptionSummary"]["OpenShardCount"] = len(open_shards(streams.of(request)))
        return status, headers, orjson.dumps(payload)

    kinesis["_list_shards"] = handler(Listing(streams, clock).list_shards)
    kinesis["_shard_out"] = describe
    kinesis["_describe_stream_summary"] = summary


def _ended_at_or_after(shard: Shard, time: float) -> bool:
    closed_at = shard["closed_at"]
    return closed_at is None or closed_at >= time
