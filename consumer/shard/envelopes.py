"""The Kinesis destination's envelope -> ChangeRecord.

Format: "Kinesis Data Streams for DynamoDB" (DynamoDB Developer Guide, Using Kinesis Data Streams to capture
changes). Field order varies and unknown fields are ignored; numbers never pass through a float.
"""

import msgspec

from consumer.errors import Undecodable
from consumer.record import ChangeRecord, EventName, Granularity, StreamRecord

_ABSENT = msgspec.Raw()
_LONGEST_ABSENT = 4
"""An image that is not there is left out, `{}` or `null`; the shortest real one is longer."""

_MICROSECOND = Granularity.MICROSECOND
_YEAR_10000 = 253_402_300_800_000_000
"""In microseconds. A row of a time that can't be would stay for ever: no change to come is newer."""

_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14


class _Change(
    msgspec.Struct,
    gc=False,
    rename={
        "created": "ApproximateCreationDateTime",
        "precision": "ApproximateCreationDateTimePrecision",
        "keys": "Keys",
        "new_image": "NewImage",
        "old_image": "OldImage",
    },
):
    created: int
    keys: dict[str, dict[str, str]]
    precision: str | None = None
    new_image: msgspec.Raw = msgspec.Raw()
    old_image: msgspec.Raw = msgspec.Raw()


class _Envelope(msgspec.Struct, gc=False, rename="camel"):
    event_name: EventName
    table_name: str
    dynamodb: _Change
    user_identity: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(_Envelope)


def decode(record: StreamRecord) -> ChangeRecord:
    """The change that a stream record carries.

    Raises:
        Undecodable: not JSON, not an envelope, keys missing or malformed, an unknown clock, or a time that
        can't be.
    """
    try:
        envelope = _DECODER.decode(record.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"not a change record of a DynamoDB table: {error}"
        raise Undecodable(message, code="NotAnEnvelope") from error
    change = envelope.dynamodb
    keys = change.keys
    created = change.created
    if change.precision == "MICROSECOND":
        granularity = _MICROSECOND
    else:
        created, granularity = _clock(created, change.precision)
    if not 0 <= created < _YEAR_10000:
        message = (
            f"ApproximateCreationDateTime is {change.created}, which is before 1970 or after the year 9999"
        )
        raise Undecodable(message, code="UnknownTime")
    old_image, new_image, identity = change.old_image, change.new_image, envelope.user_identity
    return ChangeRecord(
        record,
        envelope.event_name,
        envelope.table_name,
        created,
        granularity,
        keys,
        _identity(keys),
        old_image if len(old_image) > _LONGEST_ABSENT else _ABSENT,
        new_image if len(new_image) > _LONGEST_ABSENT else _ABSENT,
        identity if len(identity) > _LONGEST_ABSENT else _ABSENT,
    )


def _identity(keys: dict[str, dict[str, str]]) -> str:
    if len(keys) == 1:
        (value,) = keys.values()
        if len(value) == 1:
            (text,) = value.values()
            return text
    parts: list[str] = []
    for name in sorted(keys):
        if len(keys[name]) != 1:
            message = f"not a change record: the key attribute {name!r} has no single value"
            raise Undecodable(message, code="NotAnEnvelope")
        (text,) = keys[name].values()
        parts.append(f"{len(text)}:{text}")  # the length keeps ("a", "bc") apart from ("ab", "c")
    if not parts:
        raise Undecodable("the change record lacks the item's keys", code="KeysMissing")
    return "".join(parts)


def _clock(created: int, precision: str | None) -> tuple[int, Granularity]:
    """Microseconds and granularity; without a precision field (captures before 2024) by magnitude."""
    if precision == "MILLISECOND":
        return created * 1_000, Granularity.MILLISECOND
    if precision is not None:
        message = (
            f"ApproximateCreationDateTimePrecision is {precision!r}; known are MICROSECOND and MILLISECOND"
        )
        raise Undecodable(message, code="UnknownPrecision")
    if created < _SECONDS_BELOW:
        return created * 1_000_000, Granularity.SECOND
    if created < _MILLISECONDS_BELOW:
        return created * 1_000, Granularity.MILLISECOND
    return created, Granularity.MICROSECOND
