"""Which leases to write before the daemon starts, and which never to touch. Pure.

    nothing begun, table empty              every shard of the start position
    nothing begun, rows of a crashed pod    those that are missing
    a row's descendant or stranger there    not that row: KCL's own sync decides by its whole shard list
    any checkpoint, or any ended shard      nothing

Descendants of the start position's shards are never written: KCL makes their leases at their parents' end,
so no child is read before its parent.
"""

from dataclasses import dataclass
from typing import Literal

Sentinel = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "SHARD_END"]
"""KCL's checkpoints that are not sequence numbers (SentinelCheckpoint)."""

_LAST_HASH_KEY = 2**128 - 1
"""Amazon Kinesis API Reference, HashKeyRange: partition keys are hashed by MD5 to 128 bits."""


@dataclass(frozen=True, slots=True)
class TrimHorizon:
    """Start at the oldest record the stream holds."""


@dataclass(frozen=True, slots=True)
class AtTimestamp:
    """Start at the first record that arrived at or after a time, in whole Unix seconds as in the daemon."""

    epoch_seconds: int


Start = TrimHorizon | AtTimestamp


@dataclass(frozen=True, slots=True)
class HashRange:
    """Hash keys of a shard, both ends included."""

    start: int
    end: int

    def overlaps(self, other: "HashRange") -> bool:
        """Whether any hash key is in both."""
        return self.start <= other.end and other.start <= self.end


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as ListShards describes it; `parents` has none, one (split) or two (merge) shard ids."""

    shard_id: str
    parents: frozenset[str]
    hash_range: HashRange


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of the lease table; `checkpoint` is a sequence number or a sentinel."""

    lease_key: str
    owner: str | None
    counter: int
    checkpoint: str
    sub_sequence_number: int
    parents: frozenset[str]
    owner_switches: int
    hash_range: HashRange | None

    @property
    def is_ended(self) -> bool:
        """The shard is closed and everything in it is settled."""
        return self.checkpoint == "SHARD_END"

    @property
    def has_begun(self) -> bool:
        """Something of the shard was checkpointed, or all of it."""
        return self.checkpoint not in ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease to write where there is none."""

    shard: Shard
    sentinel: Sentinel


@dataclass(frozen=True, slots=True)
class Move:
    """A sentinel to change for another, where it still is what was read."""

    lease_key: str
    was: str
    sentinel: Sentinel


def has_begun(leases: list[Lease]) -> bool:
    """Whether the application has ever checkpointed: from then on its leases are KCL's alone."""
    return any(lease.has_begun for lease in leases)


def covers_completely(shards: tuple[Shard, ...]) -> bool:
    """Whether every hash key belongs to exactly one of the shards; a listing amid a resharding may not."""
    position = 0
    for hash_range in sorted((shard.hash_range for shard in shards), key=lambda keys: keys.start):
        if hash_range.start != position:
            return False
        position = hash_range.end + 1
    return position == _LAST_HASH_KEY + 1


def without_descendants(shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
    """The shards that have no parent among them: a time at which a shard was split lists both generations."""
    listed = {shard.shard_id for shard in shards}
    return tuple(shard for shard in shards if not shard.parents & listed)


def plan_seed(leases: list[Lease], shards: tuple[Shard, ...], start: Start) -> tuple[LeaseRow, ...]:
    """The rows to write for the shards of the start position; none where anything has begun.

    `shards` cover the hash range exactly once.
    """
    if has_begun(leases):
        return ()
    return tuple(LeaseRow(shard, _sentinel(start)) for shard in shards if _is_free(shard, leases))


def plan_moves(leases: list[Lease], start: Start) -> tuple[Move, ...]:
    """The sentinels that the daemon, configured with `start`, would get wrong.

    LATEST is resolved anew at every start of the shard: what arrives between two of them would be skipped.
    AT_TIMESTAMP has no meaning for a daemon configured with no time: KCL fails on it without end.
    TRIM_HORIZON is right under any start: KCL gives it to children.
    """
    sentinel = _sentinel(start)
    return tuple(
        Move(lease.lease_key, lease.checkpoint, sentinel)
        for lease in leases
        if lease.checkpoint in ("LATEST", "AT_TIMESTAMP") and lease.checkpoint != sentinel
    )


def _sentinel(start: Start) -> Sentinel:
    return "AT_TIMESTAMP" if isinstance(start, AtTimestamp) else "TRIM_HORIZON"


def _is_free(shard: Shard, leases: list[Lease]) -> bool:
    """No lease of its own, and none that shares hash keys with it but its parents', which KCL reads first."""
    return not any(
        lease.lease_key == shard.shard_id
        or (lease.lease_key not in shard.parents and _may_overlap(lease, shard))
        for lease in leases
    )


def _may_overlap(lease: Lease, shard: Shard) -> bool:
    return lease.hash_range is None or lease.hash_range.overlaps(shard.hash_range)
