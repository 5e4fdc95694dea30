"""GetShardIterator and GetRecords: positions by sequence number, and an end for closed shards.

The gaps: ministack's iterators are indices, which shift when records expire, and all of them are looked
through at each request; a closed shard's end is never told. AWS (API reference, "GetRecords" and
"GetShardIterator"): at the end of a closed shard NextShardIterator is null and ChildShards name each child
with its parents; AT_SEQUENCE_NUMBER on a record that is gone starts at the oldest kept, without a word; an
iterator lives for 300 s; an answer holds at most 10 MB and 10,000 records. A ministack that does so lets this
go.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.emulator import Service
from sandbox.kinesis.model import Record, Shard, children, first_after, first_at_time, is_open, unread
from sandbox.kinesis.sequence import before, widened
from sandbox.kinesis.streams import Clock, Streams
from sandbox.wire import Payload, RefusedError, Request, handler

ITERATOR_SECONDS = 300
MAXIMUM_RECORDS = 10_000
MAXIMUM_BYTES = 10 * 1024 * 1024
OLDEST = ""  # sorts before every sequence number


@dataclass(frozen=True, slots=True)
class Iterator:
    """What a shard iterator says: go on after this sequence number. It is kept nowhere but in its text."""

    stream_arn: str
    shard_id: str
    after: str
    made_at: float

    def token(self) -> str:
        """Return the text that a client gets."""
        content = [self.stream_arn, self.shard_id, self.after, self.made_at]
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

    @classmethod
    def read(cls, token: str) -> "Iterator":
        """Read a client's iterator; raises InvalidArgumentException."""
        try:
            return cls(*json.loads(base64.urlsafe_b64decode(token)))
        except (ValueError, TypeError, binascii.Error):
            raise RefusedError("InvalidArgumentException", "Invalid ShardIterator.") from None


def stream_of_iterator(token: str) -> list[str]:
    """Return the ARN of the stream that an iterator is for, in a list; an empty one for no iterator."""
    try:
        return [Iterator.read(token).stream_arn]
    except RefusedError:
        return []


def start_after(shard: Shard, position: Request) -> str:
    """Return the sequence number to go on after, for a starting position.

    The position: `Type`, and `SequenceNumber` or `Timestamp` (seconds) where the type asks for it. Raises
    InvalidArgumentException.
    """
    start = STARTS.get(position.get("Type", ""))
    if start is None:
        raise RefusedError(
            "InvalidArgumentException", f"The iterator's type must be one of {sorted(STARTS)}."
        )
    return start(shard, position)


def _before_index(records: list[Record], index: int) -> str:
    return records[index - 1]["SequenceNumber"] if index else OLDEST


def _given_number(shard: Shard, position: Request) -> str:
    try:
        number = widened(position.get("SequenceNumber") or "")
    except ValueError:
        raise RefusedError("InvalidArgumentException", "The sequence number must be a number.") from None
    if number < shard["starting_sequence_number"] or number > (shard["ending_sequence_number"] or number):
        raise RefusedError(
            "InvalidArgumentException",
            f"Sequence number {number} is invalid: it did not come from this shard.",
        )
    return number


def _at_timestamp(shard: Shard, position: Request) -> str:
    if position.get("Timestamp") is None:
        raise RefusedError("InvalidArgumentException", "Timestamp is required for AT_TIMESTAMP.")
    return _before_index(shard["records"], first_at_time(shard["records"], float(position["Timestamp"])))


STARTS: dict[str, Callable[[Shard, Request], str]] = {
    "TRIM_HORIZON": lambda _shard, _position: OLDEST,
    "LATEST": lambda shard, _position: _before_index(shard["records"], len(shard["records"])),
    "AT_SEQUENCE_NUMBER": lambda shard, position: before(_given_number(shard, position)),
    "AFTER_SEQUENCE_NUMBER": _given_number,
    "AT_TIMESTAMP": _at_timestamp,
}


def batch(records: list[Record], after: str, limit: int, maximum_bytes: int) -> list[Record]:
    """Return the next records after a sequence number: at least one if there is one, within both limits."""
    start = first_after(records, after)
    end, size = start, 0
    while end < len(records) and end - start < limit:
        size += len(records[end]["Data"]) * 3 // 4
        if size > maximum_bytes and end > start:
            break
        end += 1
    return records[start:end]


def milliseconds_behind(records: list[Record], after: str, now: float) -> int:
    """Return MillisBehindLatest: the age of the oldest record that is not read yet, 0 where all are."""
    behind = unread(records, after)
    return max(0, round((now - records[-behind]["ApproximateArrivalTimestamp"]) * 1000)) if behind else 0


@dataclass(frozen=True, slots=True)
class Reading:
    """Answers GetShardIterator and GetRecords."""

    streams: Streams
    clock: Clock

    def get_iterator(self, request: Request) -> Payload:
        """GetShardIterator."""
        stream = self.streams.of(request)
        shard = self.streams.shard(stream, request.get("ShardId", ""))
        position = {
            "Type": request.get("ShardIteratorType"),
            "SequenceNumber": request.get("StartingSequenceNumber"),
            "Timestamp": request.get("Timestamp"),
        }
        after = start_after(shard, position)
        return {
            "ShardIterator": Iterator(stream["StreamARN"], request["ShardId"], after, self.clock()).token()
        }

    def get_records(self, request: Request) -> Payload:
        """GetRecords."""
        now = self.clock()
        iterator = Iterator.read(request.get("ShardIterator", ""))
        if now - iterator.made_at > ITERATOR_SECONDS:
            raise RefusedError(
                "ExpiredIteratorException", f"Iterator expired: it lives for {ITERATOR_SECONDS} s."
            )
        stream = self.streams.by_arn(iterator.stream_arn)
        shard = self.streams.shard(stream, iterator.shard_id)
        limit = min(int(request.get("Limit", MAXIMUM_RECORDS)), MAXIMUM_RECORDS)
        found = batch(shard["records"], iterator.after, limit, MAXIMUM_BYTES)
        after = found[-1]["SequenceNumber"] if found else iterator.after
        payload: dict[str, Any] = {
            "Records": found,
            "MillisBehindLatest": milliseconds_behind(shard["records"], after, now),
        }
        if is_open(shard) or unread(shard["records"], after):
            payload["NextShardIterator"] = Iterator(
                stream["StreamARN"], iterator.shard_id, after, now
            ).token()
        else:
            payload["NextShardIterator"] = None
            payload["ChildShards"] = children(stream, iterator.shard_id)
        return payload


def apply(kinesis: Service, clock: Clock) -> None:
    """Replace GetShardIterator and GetRecords; ministack's own table of iterators stays empty."""
    reading = Reading(Streams(kinesis, clock), clock)
    kinesis["_get_shard_iterator"] = handler(reading.get_iterator)
    kinesis["_get_records"] = handler(reading.get_records)
