"""The records that DynamoDB puts into a Kinesis stream: their shape, and their partition key.

The gap: ministack sends the native stream's record, with seconds, a random partition key, and also for writes
that change nothing. AWS ("Using Kinesis Data Streams to capture changes to DynamoDB"; records seen on AWS):
the shape below, both images always, a time of the configured precision, and one partition key for all records
of an item. A ministack that sends this lets this go. Pure.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import orjson

Precision = Literal["MILLISECOND", "MICROSECOND"]
Attribute = Mapping[str, object]
Item = Mapping[str, Attribute]

MICROSECONDS_PER_UNIT: Mapping[Precision, int] = {"MILLISECOND": 1000, "MICROSECOND": 1}
SETS = ("SS", "NS", "BS")


@dataclass(frozen=True, slots=True)
class Change:
    """A write that changed an item: INSERT has no old image, REMOVE no new one."""

    table: str
    region: str
    event_name: str
    keys: Item
    old: Item | None
    new: Item | None
    user_identity: Mapping[str, str] | None
    size_bytes: int


def envelope(change: Change, *, event_id: str, microseconds: int, precision: Precision) -> bytes:
    """Write a change as AWS does: UTF-8 JSON. `microseconds` since the epoch is when it was made."""
    details: dict[str, object] = {
        "ApproximateCreationDateTime": microseconds // MICROSECONDS_PER_UNIT[precision],
        "ApproximateCreationDateTimePrecision": precision,
        "Keys": change.keys,
    }
    if change.new is not None:
        details["NewImage"] = change.new
    if change.old is not None:
        details["OldImage"] = change.old
    details["SizeBytes"] = change.size_bytes
    return orjson.dumps(
        {
            "awsRegion": change.region,
            "eventID": event_id,
            "eventName": change.event_name,
            "userIdentity": change.user_identity,
            "recordFormat": "application/json",
            "tableName": change.table,
            "dynamodb": details,
            "eventSource": "aws:dynamodb",
        }
    )


def partition_key(table: str, keys: Item) -> str:
    """Return 32 hex characters, the same for all records of an item (how AWS makes them is not said)."""
    content = orjson.dumps([table, keys], option=orjson.OPT_SORT_KEYS)
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def same_item(old: Item, new: Item) -> bool:
    """Whether a write changed nothing: the members of a set have no order, of a list they have."""
    return old == new or _ordered(old) == _ordered(new)


def _ordered(value: object) -> object:
    if isinstance(value, list):
        return [_ordered(inner) for inner in value]
    if isinstance(value, dict):
        return {
            key: sorted(inner)
            if key in SETS and isinstance(inner, list) and _texts(inner)
            else _ordered(inner)
            for key, inner in value.items()
        }
    return value


def _texts(members: list[object]) -> bool:
    return all(isinstance(member, str) for member in members)
