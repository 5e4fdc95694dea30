"""When a live processor has stopped, and whether its rebuild has come as far. Pure.

    live      ------------------|  stopped: nothing after its place was written
    rebuild   --------------------------->  settled up to its mark

By shard: a shard that the live application has ended must be ended in the rebuild too; one that it has begun
must be settled there up to the live processor's place; of one it has not begun nothing is missing, once its
parents are. A lease that KCL has deleted stands for an ended shard as soon as one of its children is there:
KCL makes a child's lease when its parent ends, and deletes the parent's later.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from checkpoint.positions import ShardPosition
from checkpoint.seeding import Lease

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Application:
    """One application's leases, and the rows of its positions table, by shard."""

    leases: Mapping[str, Lease]
    rows: Mapping[str, ShardPosition]

    def children_of(self, shard_id: str) -> set[str]:
        """Of the leases that are there."""
        return {lease.lease_key for lease in self.leases.values() if shard_id in lease.parents}

    def settled(self, shard_id: str, processor: str) -> Place | None:
        """Up to where the processor is sure to have settled the shard."""
        row = self.rows.get(shard_id)
        mark = row.processors.get(processor) if row is not None else None
        return newest(
            (mark.sequence_number, mark.sub_sequence_number) if mark is not None else None,
            self.checkpoint(shard_id),
        )

    def checkpoint(self, shard_id: str) -> Place | None:
        """KCL's, up to which every processor has settled the shard."""
        lease = self.leases.get(shard_id)
        if lease is None or lease.is_ended or not lease.has_begun:
            return None
        return lease.checkpoint, lease.sub_sequence_number


def newest(*places: Place | None) -> Place | None:
    """The latest of the places of one shard; sequence numbers are compared as integers."""
    return max((place for place in places if place is not None), key=_order, default=None)


def is_reached(place: Place | None, by: Place | None) -> bool:
    """Whether who is settled up to `by` has settled the place too."""
    return place is None or (by is not None and _order(by) >= _order(place))


def running(live: Application, processor: str, token: str) -> dict[str, str | None]:
    """The shards whose processor may still write, and who holds their lease (None: nobody has yet).

    A shard process says itself that it has stopped, and only the lease's holder is believed: another may be
    a process that lost the lease and does not know. A shard whose parents are not ended has no process.
    """
    return {
        shard_id: lease.owner
        for shard_id, lease in sorted(live.leases.items())
        if not lease.is_ended
        and not _waits_for_parents(lease, live)
        and not _has_stopped(lease, live.rows.get(shard_id), processor, token)
    }


def places(live: Application, processor: str, token: str | None) -> dict[str, Place | None]:
    """The newest record of each shard that is not ended that the live processor may have written anything of.

    `token`: the cut-over's by which it has stopped; None: as far as it is known to have settled by now.
    """
    found: dict[str, Place | None] = {}
    for shard_id, lease in live.leases.items():
        if lease.is_ended:
            continue
        row = live.rows.get(shard_id)
        stopped = row.stopped.get(processor) if row is not None else None
        written = stopped.place if stopped is not None and stopped.token == token else None
        found[shard_id] = newest(written, live.settled(shard_id, processor))
    return found


def behind(
    live: Application, at: Mapping[str, Place | None], rebuilt: Application, processor: str
) -> list[str]:
    """The shards in which the rebuild has yet to come where the live processor is (`at`, see `places`)."""
    ended = {shard_id for shard_id, lease in live.leases.items() if lease.is_ended}
    return sorted(
        [shard_id for shard_id in ended if not _is_past_end(shard_id, live, rebuilt, ended)]
        + [
            shard_id
            for shard_id, place in at.items()
            if place is not None
            and not is_reached(place, rebuilt.settled(shard_id, processor))
            and not _is_past_end(shard_id, live, rebuilt, ended)
        ]
    )


def _is_past_end(shard_id: str, live: Application, rebuilt: Application, ended: Collection[str]) -> bool:
    """Whether the rebuild has settled all of the shard."""
    lease = rebuilt.leases.get(shard_id)
    if lease is not None:
        return lease.is_ended
    if rebuilt.children_of(shard_id):
        return True
    children = live.children_of(shard_id)
    # Both were ended long ago, and trimmed before the rebuild began: it counts once its children do.
    return bool(children) and all(
        child in ended and _is_past_end(child, live, rebuilt, ended) for child in children
    )


def _waits_for_parents(lease: Lease, live: Application) -> bool:
    parents: Iterable[Lease | None] = (live.leases.get(parent) for parent in lease.parents)
    return any(parent is not None and not parent.is_ended for parent in parents)


def _has_stopped(lease: Lease, row: ShardPosition | None, processor: str, token: str) -> bool:
    stopped = row.stopped.get(processor) if row is not None else None
    return stopped is not None and (stopped.token, stopped.worker) == (token, lease.owner)


def _order(place: Place) -> tuple[int, int]:
    return int(place[0]), place[1]
