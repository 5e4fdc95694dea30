"""Dead letters for tests of the places that keep them."""

from consumer.errors import Rejected
from consumer.record import StreamRecord
from consumer.shard.deadletter.letter import DeadLetter, Origin, encode, to_document

SHARD = "shardId-000000000001"
ORIGIN = Origin("shop", "orders", SHARD)
NOW = 1_700_000_000.5


def clock() -> float:
    return NOW


def letter_of(data: bytes = b"\x00not JSON\xff", number: int = 1, message: str = "no") -> DeadLetter:
    """The letter of a record with this data and sequence number."""
    return DeadLetter("view", StreamRecord(data, str(number), 3, 17), Rejected(message, code="BadValue"), 6)


def document_size(letter: DeadLetter) -> int:
    """Bytes of the whole letter's JSON."""
    return len(encode(to_document(letter, ORIGIN, NOW)))
