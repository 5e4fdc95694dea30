"""Change records for tests, made the way they come: as the bytes of an envelope, decoded."""

from collections.abc import Mapping

import orjson

from consumer.record import ChangeRecord, EventName, Granularity, Image, StreamRecord
from consumer.shard.envelopes import decode

TABLE = "orders"
BY_TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
"""The identity of a deletion by DynamoDB's Time to Live."""

_PRECISIONS = {Granularity.MICROSECOND: "MICROSECOND", Granularity.MILLISECOND: "MILLISECOND"}


def envelope(
    event_name: EventName,
    keys: Mapping[str, Mapping[str, str]],
    micros: int,
    *,
    new: Image | None = None,
    old: Image | None = None,
    granularity: Granularity = Granularity.MICROSECOND,
    table: str = TABLE,
    user_identity: Mapping[str, str] | None = None,
) -> bytes:
    """The data of one Kinesis record."""
    change: dict[str, object] = {
        "ApproximateCreationDateTime": micros // granularity,
        "ApproximateCreationDateTimePrecision": _PRECISIONS[granularity],
        "Keys": keys,
    }
    if new is not None:
        change["NewImage"] = new
    if old is not None:
        change["OldImage"] = old
    record: dict[str, object] = {"eventName": event_name, "tableName": table, "dynamodb": change}
    if user_identity is not None:
        record["userIdentity"] = user_identity
    return orjson.dumps(record)


def in_stream(data: bytes, sequence_number: int = 1, arrived_at_ms: int | None = None) -> StreamRecord:
    """The data at a place in a shard."""
    return StreamRecord(data, str(sequence_number), 0, arrived_at_ms)


def put(
    item: str,
    micros: int,
    *,
    sequence_number: int = 1,
    old: Image | None = None,
    granularity: Granularity = Granularity.MICROSECOND,
    table: str = TABLE,
    **values: str,
) -> ChangeRecord:
    """An item was written: its key is `id`, its other attributes are the texts given."""
    keys = {"id": {"S": item}}
    new: Image = {name: {"S": text} for name, text in {"id": item, **values}.items()}
    event: EventName = "INSERT" if old is None else "MODIFY"
    data = envelope(event, keys, micros, new=new, old=old, granularity=granularity, table=table)
    return decode(in_stream(data, sequence_number))


def remove(
    item: str,
    micros: int,
    *,
    sequence_number: int = 1,
    old: Image | None = None,
    granularity: Granularity = Granularity.MICROSECOND,
) -> ChangeRecord:
    """An item was deleted."""
    keys = {"id": {"S": item}}
    data = envelope("REMOVE", keys, micros, old=old or {"id": {"S": item}}, granularity=granularity)
    return decode(in_stream(data, sequence_number))
