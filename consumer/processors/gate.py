"""The version gate: a change is applied if and only if the target holds no row of its item or an older one.

           row's version          change's version
    ----------|----------------------|-----------------> time of one item
              older: apply           |
                                     equal, same digest: stale (a duplicate)
                                     equal, other digest: a tie; only the source item itself can tell
                                     equal, same digest, row's clock finer: a tie too (below)
                                     the row is newer: stale (late, or replayed)

Versions of different granularity are compared by the coarser clock, here and in the store's condition alike.
A row of a finer clock than its duplicate takes on the duplicate's clock, by way of a tie: else a change of
the same tick that came before the duplicate, but is late, would be taken for newer than the row.
A tie is never settled by the records alone: every such rule tried resurrects a deleted item in some history.
"""

from enum import Enum
from typing import NamedTuple

from consumer.record import AttributeValue, Granularity, Version


class Stamp(NamedTuple):
    """What a row keeps of the change it holds.

    Attributes:
        version: the change's.
        digest: the source image's (`-` for none).
        round: how often it was written at its version without being newer, to settle ties. In a ledger: how
            often it was written at all. So no two states of a row have one stamp, even where the source goes
            from A to B and back to A within one tick.
    """

    version: Version
    digest: str
    round: int = 0


class Verdict(Enum):
    """What the gate says of a change, given the row."""

    NEWER = "newer"
    STALE = "stale"
    TIE = "tie"


def judge(row: Stamp | None, change: Stamp) -> Verdict:
    """Whether the change may be applied over the row."""
    if row is None:
        return Verdict.NEWER
    held = row.version.floor(change.version.granularity)
    came = change.version.floor(row.version.granularity)
    if held < came:
        return Verdict.NEWER
    is_finer = row.version.granularity < change.version.granularity
    if held > came or (row.digest == change.digest and not is_finer):
        return Verdict.STALE
    return Verdict.TIE


def judge_settled(row: Stamp, change: Stamp) -> Verdict:
    """The same of what the source was read to hold, at the version of a change that ties.

    Within the tick it is written even where the row holds the same: that takes the row's round on, so that
    nobody who read the source before can write any more.

        row A, round 0   zombie reads the source: B    the source is A again   we read it: A, as the row
        ------|--------------------|-----------------------------|----------------------|------------> time
                                   '---- its write of B over (A, round 0) must fail from here on ---->
    """
    verdict = judge(row, change)
    if verdict is not Verdict.STALE:
        return verdict
    held = row.version.floor(change.version.granularity)
    return Verdict.STALE if held > change.version.floor(row.version.granularity) else Verdict.TIE


def merge(row: Version, change: Version) -> Version:
    """The version of a settled tie: told by the coarser clock, so that what tied before ties again."""
    granularity = max(row.granularity, change.granularity)
    return Version(row.floor(granularity), granularity)


def settled(row: Stamp, change: Stamp) -> Stamp:
    """The stamp of a row that ties with a change and was settled by reading the source."""
    return Stamp(merge(row.version, change.version), change.digest, row.round + 1)


HORIZON_MARGIN_SECONDS = 3600.0
"""Before the first tombstone can be gone: for clocks that differ, and for a write on its way meanwhile."""

LATE_SECONDS = 86_400.0
"""How long after an item's deletion the stream may be given an older change of it, a duplicate mostly.

    older change    deletion, its tombstone written    the older change again        trimmed
    ------|----------------------|-----------------------------|------------------------|--------> time
                                 |<---- at most LATE_SECONDS ->|<------ retention ----->|
                                 |<------------ the tombstone has to live ------------->|

AWS says that records may come twice and out of order, and not how late; a day is a word of ours.
"""

SHORTEST_TOMBSTONE_SECONDS = 86_400.0
"""None was ever written to live shorter: no stream keeps its records for less than a day."""


def is_past_horizon(version: Version, now: float, tombstones_last: float) -> bool:
    """Whether the tombstone of a deletion that came after this change may be gone.

        the change    its item is deleted, a tombstone written        the tombstone expires
    --------|--------------------|-----------------------------------------------|--------> time
            |<-- tombstones_last - margin -->| from here on the gate alone could let the item come back

    `now` in Unix seconds, `tombstones_last` in seconds from a tombstone's writing on.
    """
    return now >= version.micros / 1_000_000 + tombstones_last - HORIZON_MARGIN_SECONDS


CODES = {Granularity.MICROSECOND: "us", Granularity.MILLISECOND: "ms", Granularity.SECOND: "s"}
"""How a target spells a clock's granularity."""

GRANULARITIES = {code: granularity for granularity, code in CODES.items()}


def stamp_to_attribute(stamp: Stamp) -> AttributeValue:
    """The stamp as the row's `_tidemark`.

    v (microseconds), p (the clock's granularity), d (the digest), n (the round, where there is one).
    """
    version = stamp.version
    parts: dict[str, AttributeValue] = {
        "v": {"N": str(version.micros)},
        "p": {"S": CODES[version.granularity]},
        "d": {"S": stamp.digest},
    }
    if stamp.round:
        parts["n"] = {"N": str(stamp.round)}
    return {"M": parts}


def stamp_from_attribute(attribute: AttributeValue) -> Stamp:
    """Read a row's `_tidemark`; raises KeyError, TypeError or ValueError where it isn't one of ours."""
    parts = attribute["M"]
    if not isinstance(parts, dict):
        raise TypeError(attribute)
    version = Version(int(parts["v"]["N"]), GRANULARITIES[parts["p"]["S"]])
    return Stamp(version, parts["d"]["S"], int(parts["n"]["N"]) if "n" in parts else 0)


DYNAMODB_NEWER = (
    "(#t.p = :us AND #t.v < :v_us) OR (#t.p = :ms AND #t.v < :v_ms) OR (#t.p = :s AND #t.v < :v_s)"
)
"""DynamoDB's form of "the row is older"; `#t` is `_tidemark`.

A row of each granularity is held against the change's floor at the coarser of the two.
"""

_DYNAMODB_EQUAL = "#t.v = :v AND #t.p = :p AND #t.d = :d AND "


def dynamodb_equal(stamp: Stamp) -> str:
    """DynamoDB's form of "the row is as it was read"; `#t` is `_tidemark`."""
    return _DYNAMODB_EQUAL + ("#t.n = :n" if stamp.round else "attribute_not_exists(#t.n)")


def dynamodb_newer_values(version: Version) -> dict[str, AttributeValue]:
    """The values of DYNAMODB_NEWER for a change's version."""
    values: dict[str, AttributeValue] = {}
    for granularity, code in CODES.items():
        values[f":{code}"] = {"S": code}
        values[f":v_{code}"] = {"N": str(version.floor(granularity))}
    return values


def dynamodb_equal_values(stamp: Stamp) -> dict[str, AttributeValue]:
    """The values of `dynamodb_equal` for a row's stamp."""
    values: dict[str, AttributeValue] = {
        ":v": {"N": str(stamp.version.micros)},
        ":p": {"S": CODES[stamp.version.granularity]},
        ":d": {"S": stamp.digest},
    }
    if stamp.round:
        values[":n"] = {"N": str(stamp.round)}
    return values
