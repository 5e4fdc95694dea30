"""One entry of a DynamoDB ledger: which change of an item its target holds, and what it holds there. Pure.

item        S   the source item's identity, or a digest of a long one
_tidemark   M   the stamp: v (version), p (its clock), d (the source image's digest), n (the round)
holds       M   by the text of a row's or a group's key: what the item has there
expires     N   Unix seconds; of tombstones alone
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple, Union, cast

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.errors import Rejected
from consumer.processors.gate import (
    Stamp,
    Verdict,
    judge,
    judge_settled,
    settled,
    stamp_from_attribute,
    stamp_to_attribute,
)
from consumer.record import AttributeValue, Image, Version

KEY = "item"
"""The table's one key attribute, of type S."""

EXPIRES = "expires"
"""The table's TTL attribute."""

_HOLDS = "holds"

LONGEST_IDENTITY = 2_000
"""Bytes; a partition key has 2,048 at most ("Quotas in Amazon DynamoDB"), a source's two keys have more."""

_DIGEST = re.compile("digest:[0-9a-f]{64}")

Held = Union[str, Mapping[str, "Held"]]  # noqa: UP007 - a type that names itself can't be written with `|`
"""What an item has under one key: a row's digest; or its part of each sum, by name, as decimal text."""


class Entry(NamedTuple):
    """An item's entry.

    Attributes:
        stamp: of the change that the target holds.
        holds: what the item has in the target, by the text of a row's or group's key.
    """

    stamp: Stamp
    holds: Mapping[str, Held]

    @property
    def is_tombstone(self) -> bool:
        """The item is gone, or outside, and holds nothing: only late changes of it ask for the entry."""
        return self.stamp.digest == NO_IMAGE_DIGEST and not self.holds


NOTHING = Entry(Stamp(Version(-1), NO_IMAGE_DIGEST), {})
"""What stands for an entry that isn't there: older than every change; none is written with round 0."""


def admit(held: Stamp, change: Stamp, over: Stamp | None) -> tuple[Verdict, Stamp]:
    """What the gate says of a change, and the stamp that the entry has after it.

    Args:
        held: the entry's.
        change: the change's, or what the source was read to hold at its version.
        over: None, or the stamp that tied, before the source was read.

    Returns:
        NEWER, and the stamp to write; or STALE or TIE, and the entry's own.
    """
    verdict = judge(held, change) if over is None else judge_settled(held, change)
    if verdict is Verdict.STALE:
        return verdict, held
    if over not in (None, held):
        return Verdict.TIE, held  # somebody wrote since: the source is to be read again
    if verdict is Verdict.NEWER:
        return verdict, Stamp(change.version, change.digest, held.round + 1)
    if over is not None:
        return Verdict.NEWER, settled(held, change)
    return verdict, held


def entry_key(item: str) -> str:
    """The entry's key, which is also what the item's rows name as their owner."""
    content = item.encode()
    if len(content) <= LONGEST_IDENTITY:
        return item
    return f"digest:{blake2b(content, digest_size=32).hexdigest()}"


def is_digest(key: str) -> bool:
    """Whether nobody can tell the item by its entry's key; so it is where the item's own looks the same."""
    return _DIGEST.fullmatch(key) is not None


def to_item(key: str, entry: Entry, expires: int) -> Image:
    """The entry as DynamoDB keeps it; `expires` in Unix seconds, for a tombstone."""
    item: Image = {
        KEY: {"S": key},
        RESERVED: stamp_to_attribute(entry.stamp),
        _HOLDS: {"M": {text: _to_attribute(held) for text, held in entry.holds.items()}},
    }
    if entry.is_tombstone:
        item[EXPIRES] = {"N": str(expires)}
    return item


def size_of(item: Image) -> int:
    """The bytes that DynamoDB counts of an entry ("DynamoDB item sizes and formats"), or a few more."""
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def _size_of(value: AttributeValue) -> int:
    ((kind, content),) = value.items()
    if kind == "M":
        parts = cast("Image", content)
        return 3 + len(parts) + size_of(parts)
    return len(str(content).encode())


def from_item(item: Image) -> Entry:
    """Read an entry.

    Raises:
        Rejected: it isn't one of ours.
    """
    try:
        holds = cast("Image", item[_HOLDS]["M"])
        return Entry(
            stamp_from_attribute(item[RESERVED]),
            {text: _from_attribute(held) for text, held in holds.items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        message = "an entry in the ledger was not written by Tidemark; give the processor a ledger of its own"
        raise Rejected(message, code="ForeignRow", by_store=True) from None


def _to_attribute(held: Held) -> AttributeValue:
    if isinstance(held, str):
        return {"S": held}
    return {"M": {name: _to_attribute(part) for name, part in held.items()}}


def _from_attribute(attribute: AttributeValue) -> Held:
    if "M" in attribute:
        return {name: _from_attribute(part) for name, part in cast("Image", attribute["M"]).items()}
    return cast("str", attribute["S"])
