"""Retention, at a cost that does not grow with the stream's depth; and trimming by hand, for tests.

The gap: at every call ministack rebuilds the list of records of every shard, so that writes slow down as a
stream fills. AWS ("Changing the data retention period"): records are kept for the retention period; a closed
shard stays listed until its records are gone, and then is not. A ministack that expires from the front lets
`expire` go.
"""

from sandbox.emulator import Service
from sandbox.kinesis.model import Record, Stream, first_after
from sandbox.kinesis.sequence import before, widened
from sandbox.kinesis.streams import Clock, Streams
from sandbox.wire import Payload, RefusedError, Request


def apply(kinesis: Service, clock: Clock) -> None:
    """Replace ministack's expiry, which each of its calls begins with."""

    def expire(stream: Stream) -> None:
        drop_before(stream, clock() - stream["RetentionPeriodHours"] * 3600)

    kinesis["_expire_records"] = expire


def drop_before(stream: Stream, horizon: float) -> None:
    """Drop the records that arrived before a time, and the shards that were closed before it."""
    for shard_id, shard in list(stream["shards"].items()):
        _drop_arrived_before(shard["records"], horizon)
        closed_at = shard["closed_at"]
        if closed_at is not None and closed_at < horizon:
            del stream["shards"][shard_id]


def trim(streams: Streams, request: Request) -> Payload:
    """Drop a stream's oldest records, as its retention would, and answer how many: `{"dropped": n}`.

    The request: `stream` (a name); `shard` (an id; all shards where it is absent); and one of
    `before_sequence_number` (the first number kept) and `all: true`. Trimming every record of every shard
    moves the stream's trim horizon to now, and closed shards go.
    """
    stream = streams.of({"StreamName": request["stream"]})
    shard_id = request.get("shard")
    shards = list(stream["shards"].values()) if shard_id is None else [streams.shard(stream, shard_id)]
    kept_from = None if request.get("all") else request.get("before_sequence_number")
    if kept_from is None and not request.get("all"):
        raise RefusedError("ValidationException", "Give before_sequence_number, or all: true.")
    dropped = 0
    for shard in shards:
        records = shard["records"]
        end = len(records) if kept_from is None else first_after(records, before(widened(kept_from)))
        del records[:end]
        dropped += end
    if kept_from is None and shard_id is None:
        stream["trimmed_at"] = streams.clock()
        drop_before(stream, stream["trimmed_at"])
    return {"dropped": dropped}


def _drop_arrived_before(records: list[Record], horizon: float) -> None:
    expired = 0
    while expired < len(records) and records[expired]["ApproximateArrivalTimestamp"] < horizon:
        expired += 1
    if expired:
        del records[:expired]
