"""A change of one item, and the version that orders the changes of that item."""

from enum import IntEnum
from typing import Literal, NamedTuple

import msgspec

EventName = Literal["INSERT", "MODIFY", "REMOVE"]

AttributeValue = dict[str, object]
"""One value in DynamoDB JSON: a single type descriptor to its content, such as `{"N": "12.5"}`."""

Image = dict[str, AttributeValue]
"""An item in DynamoDB JSON: attribute name to value.

Numbers are text and binary is base64 text, as they came.
"""


class Granularity(IntEnum):
    """How fine the clock was that stamped a change: microseconds to a tick."""

    MICROSECOND = 1
    MILLISECOND = 1_000
    SECOND = 1_000_000


class Version(NamedTuple):
    """ApproximateCreationDateTime in microseconds, floored to its granularity."""

    micros: int
    granularity: Granularity = Granularity.MICROSECOND

    def floor(self, granularity: Granularity) -> int:
        """The version's microseconds as a clock of at least this granularity would have told them."""
        coarser = max(self.granularity, granularity)
        return self.micros - self.micros % coarser


class Position(NamedTuple):
    """A place in a shard. Sequence numbers are compared as integers, never as text."""

    sequence_number: str
    sub_sequence_number: int = 0

    def order(self) -> tuple[int, int]:
        """What places are ordered by."""
        return int(self.sequence_number), self.sub_sequence_number


class StreamRecord(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "sequence_number": "sequenceNumber",
        "sub_sequence_number": "subSequenceNumber",
        "arrived_at_ms": "approximateArrivalTimestamp",
    },
):
    """One record as KCL's MultiLang protocol delivers it, the data already out of its base64.

    The wire names are the protocol's.
    """

    data: bytes
    sequence_number: str
    sub_sequence_number: int = 0
    arrived_at_ms: int | None = None
    """Unix milliseconds of its arrival in the stream; None where KCL doesn't say."""

    @property
    def position(self) -> Position:
        """Where in the shard it is."""
        return Position(self.sequence_number, self.sub_sequence_number)


class ChangeRecord(msgspec.Struct, frozen=True, gc=False):
    """One change of one item.

    Images stay the raw DynamoDB JSON, a view into the record's data, until somebody looks; empty where there
    is none.
    """

    stream: StreamRecord
    event_name: EventName
    table: str
    micros: int
    granularity: Granularity
    keys: dict[str, dict[str, str]]
    item: str
    """The item's identity within its stream: its key values in attribute order, as text. Lanes go by it."""
    old_image: msgspec.Raw
    new_image: msgspec.Raw
    user_identity: msgspec.Raw
    between: tuple[msgspec.Raw, ...] = ()
    """Of several changes taken as one: the images between the first's old and the last's new."""
    is_redriven: bool = False
    """It comes out of a dead letter, later than its item's other changes."""

    @property
    def version(self) -> Version:
        """What orders this change among its item's."""
        return Version(self.micros, self.granularity)

    @property
    def is_expiry(self) -> bool:
        """Whether the item was deleted by DynamoDB's Time to Live, in the region where that happened."""
        if self.event_name != "REMOVE" or not self.user_identity:
            return False
        try:
            identity = _IDENTITY.decode(self.user_identity)
        except msgspec.DecodeError:
            return False
        named = {name.lower(): value for name, value in identity.items()}
        return (named.get("type"), named.get("principalid")) == _TIME_TO_LIVE


_IDENTITY = msgspec.json.Decoder(dict[str, object])
_TIME_TO_LIVE = ("Service", "dynamodb.amazonaws.com")
"""Amazon DynamoDB API Reference, Record: type and principalId; captures have the names in both cases."""
