"""A dead letter: the whole original record, why it is here, and where it came from. Pure.

One JSON object:

    id           <application>/<processor or ->/<shard>/<sequence number>.<sub-sequence number>
    application, processor (null where the record could not even be decoded)
    failedAt     ISO 8601, UTC
    error        type, code, message, attempts
    source       stream, shard, sequenceNumber, subSequenceNumber, approximateArrivalTimestamp (Unix ms)
    change       table, eventName, keys, approximateCreationDateTime (Unix microseconds); null: not decoded
    record       base64 of the bytes as they came

A letter that is larger than its queue takes has `recordAt` {s3, bytes, sha256} in the place of `record`: a
claim check for the whole letter in S3. Where even that is too large, what explains it is left out of it, and
stands in S3 alone.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, cast

import msgspec
import orjson

from consumer.errors import Rejected, TidemarkError
from consumer.record import ChangeRecord, StreamRecord

_NOTICE_CHARACTERS = 2_000
"""Of an error's message in a notice: SNS takes 256 KiB, and a person reads less."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record and why it is here.

    Attributes:
        processor: None where the record could not even be decoded.
        attempts: how often it was tried.
        change: what the record says, where it says anything.
    """

    processor: str | None
    record: StreamRecord
    error: Rejected
    attempts: int
    change: ChangeRecord | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What every letter of a shard process says of its source."""

    application: str
    stream: str
    shard_id: str


class DeadLetters(Protocol):
    """A place that keeps dead letters."""

    async def write(self, letter: DeadLetter) -> None:
        """Keep the letter durably; raises Unavailable where it can't."""
        ...


def letter_id(letter: DeadLetter, origin: Origin) -> str:
    """What a letter is known by: the same for the same record, however often it dies."""
    record = letter.record
    return (
        f"{origin.application}/{letter.processor or '-'}/{origin.shard_id}/"
        f"{record.sequence_number}.{record.sub_sequence_number}"
    )


def to_document(letter: DeadLetter, origin: Origin, now: float) -> dict[str, object]:
    """The letter as it is kept; `now` in Unix seconds."""
    record, change = letter.record, letter.change
    return {
        "id": letter_id(letter, origin),
        "application": origin.application,
        "processor": letter.processor,
        "failedAt": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "error": _error(letter),
        "source": {
            "stream": origin.stream,
            "shard": origin.shard_id,
            "sequenceNumber": record.sequence_number,
            "subSequenceNumber": record.sub_sequence_number,
            "approximateArrivalTimestamp": record.arrived_at_ms,
        },
        "change": change
        and {
            "table": change.table,
            "eventName": change.event_name,
            "keys": change.keys,
            "approximateCreationDateTime": change.micros,
        },
        "record": base64.b64encode(record.data).decode("ascii"),
    }


def _error(letter: DeadLetter, characters: int | None = None) -> dict[str, object]:
    error = letter.error
    # A function's error may hold what UTF-8 can't (a lone surrogate): no letter must fail by it.
    message = str(error).encode("utf-8", "backslashreplace").decode()
    return {
        "type": type(error).__name__,
        "code": error.code,
        "message": message[:characters],
        "attempts": letter.attempts,
    }


class ClaimCheck(msgspec.Struct, frozen=True):
    """Where the whole letter is; `bytes` and `sha256` (hexadecimal) are of what stands there."""

    s3: str
    bytes: int
    sha256: str


def to_pointer(document: dict[str, object], check: ClaimCheck) -> dict[str, object]:
    """The letter with a claim check in the place of its record."""
    pointer = {name: value for name, value in document.items() if name != "record"}
    return pointer | {"recordAt": {"s3": check.s3, "bytes": check.bytes, "sha256": check.sha256}}


def to_least(pointer: dict[str, object]) -> dict[str, object]:
    """A pointer without what may be long, the keys and the error's message: they are in the whole letter."""
    needed = ("id", "application", "processor", "failedAt", "source", "recordAt")
    error = cast("dict[str, object]", pointer["error"])
    short = {name: value for name, value in error.items() if name != "message"}
    return {name: pointer[name] for name in needed} | {"error": short}


def to_notice(letter: DeadLetter, origin: Origin, now: float) -> dict[str, object]:
    """What a topic is told of the letter: not the record, and of a long message the beginning."""
    document = to_document(letter, origin, now)
    del document["record"]
    return document | {"error": _error(letter, _NOTICE_CHARACTERS)}


class _Source(msgspec.Struct, frozen=True, rename="camel"):
    stream: str
    shard: str
    sequence_number: str
    sub_sequence_number: int = 0
    approximate_arrival_timestamp: int | None = None


class _Error(msgspec.Struct, frozen=True):
    code: str = "unknown"


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    application: str
    processor: str | None
    source: _Source
    id: str = ""
    record: str | None = None
    record_at: ClaimCheck | None = None
    error: _Error = _Error()


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A letter as it is found again; `record` is None where a claim check says where all of it is."""

    letter_id: str
    application: str
    processor: str | None
    stream: str
    shard_id: str
    record: StreamRecord | None
    claim_check: ClaimCheck | None = None
    error_code: str = "unknown"


class UnreadableLetterError(TidemarkError):
    """What stands in the place of dead letters isn't one of ours."""


def from_document(text: bytes) -> KeptLetter:
    """Read a letter back.

    Raises:
        UnreadableLetterError: it isn't JSON, lacks what a letter has, or its record isn't base64.
    """
    try:
        document = msgspec.json.decode(text, type=_Document)
        data = None if document.record is None else base64.b64decode(document.record, validate=True)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, RecursionError) as error:
        raise UnreadableLetterError(f"not a dead letter of Tidemark: {error}") from error
    if data is None and document.record_at is None:
        raise UnreadableLetterError("not a dead letter of Tidemark: it holds neither `record` nor `recordAt`")
    source = document.source
    record = (
        None
        if data is None
        else StreamRecord(
            data,
            source.sequence_number,
            source.sub_sequence_number,
            source.approximate_arrival_timestamp,
        )
    )
    return KeptLetter(
        letter_id=document.id,
        application=document.application,
        processor=document.processor,
        stream=source.stream,
        shard_id=source.shard,
        record=record,
        claim_check=document.record_at,
        error_code=document.error.code,
    )


def encode(document: dict[str, object]) -> bytes:
    """The document's JSON, of characters that a queue takes.

    U+FFFE and U+FFFF are none of them (Amazon SQS API Reference, SendMessage), but may stand in a key.
    """
    return orjson.dumps(document).replace(b"\xef\xbf\xbe", rb"\ufffe").replace(b"\xef\xbf\xbf", rb"\uffff")
