"""ministack's streams, shards and records as typed dictionaries, with the keys we add; and questions to them.

The gap: ministack forgets a shard when it is split or merged, so it has no field for when a shard was open,
nor for the number it ended at. The added keys are `ending_sequence_number`, `opened_at`, `closed_at` and, on
a stream, `trimmed_at`. Times are seconds of the wall clock. A ministack that keeps closed shards lets them
go.
"""

from bisect import bisect_left, bisect_right
from typing import NotRequired, TypedDict

MAXIMUM_HASH_KEY = 2**128 - 1


class Record(TypedDict):
    """A record in a shard: `Data` is base64 text, the arrival time is in seconds."""

    SequenceNumber: str
    ApproximateArrivalTimestamp: float
    Data: str
    PartitionKey: str


class Shard(TypedDict):
    """A shard with its kept records, oldest first. `closed_at` is None while it is open."""

    records: list[Record]
    starting_hash_key: str
    ending_hash_key: str
    starting_sequence_number: str
    parent_shard_id: str | None
    adjacent_parent_shard_id: str | None
    ending_sequence_number: str | None
    opened_at: float
    closed_at: float | None


class Stream(TypedDict):
    """A stream, by ministack's names; `shards` by id, in order of creation."""

    StreamName: str
    StreamARN: str
    StreamStatus: str
    RetentionPeriodHours: int
    shards: dict[str, Shard]
    trimmed_at: NotRequired[float]


def is_open(shard: Shard) -> bool:
    """Whether the shard still takes records."""
    return shard["closed_at"] is None


def was_open_at(shard: Shard, time: float) -> bool:
    """Whether the shard took records at a time; at the moment of a reshard, the children do."""
    closed_at = shard["closed_at"]
    return shard["opened_at"] <= time and (closed_at is None or time < closed_at)


def open_shards(stream: Stream) -> list[tuple[str, Shard]]:
    """Return the open shards in order of their hash keys."""
    found = [(shard_id, shard) for shard_id, shard in stream["shards"].items() if is_open(shard)]
    return sorted(found, key=lambda entry: int(entry[1]["starting_hash_key"]))


def parents(shard: Shard) -> list[str]:
    """Return the ids of the shards it came from: none, one (a split) or two (a merge)."""
    return [parent for parent in (shard["parent_shard_id"], shard["adjacent_parent_shard_id"]) if parent]


def children(stream: Stream, shard_id: str) -> list[dict[str, object]]:
    """Return AWS's ChildShards of a shard: each with all of its parents and its range of hash keys."""
    return [
        {"ShardId": child_id, "ParentShards": parents(child), "HashKeyRange": hash_key_range(child)}
        for child_id, child in sorted(stream["shards"].items())
        if shard_id in parents(child)
    ]


def hash_key_range(shard: Shard) -> dict[str, str]:
    """Return AWS's HashKeyRange."""
    return {"StartingHashKey": shard["starting_hash_key"], "EndingHashKey": shard["ending_hash_key"]}


def trim_horizon(stream: Stream, now: float) -> float:
    """Return the time before which nothing is kept: by retention, a trim, or the stream's beginning."""
    born = min(shard["opened_at"] for shard in stream["shards"].values())
    return max(born, now - stream["RetentionPeriodHours"] * 3600, stream.get("trimmed_at", 0.0))


def first_after(records: list[Record], sequence_number: str) -> int:
    """Return the index of the first record beyond a sequence number; all numbers have one width."""
    return bisect_right(records, sequence_number, key=lambda record: record["SequenceNumber"])


def unread(records: list[Record], after: str) -> int:
    """Return how many records are beyond a sequence number."""
    return len(records) - first_after(records, after)


def first_at_time(records: list[Record], time: float) -> int:
    """Return the index of the first record that arrived at a time or later."""
    return bisect_left(records, time, key=lambda record: record["ApproximateArrivalTimestamp"])
