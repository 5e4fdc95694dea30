"""Seeding over any history of resharding, crashes, several pods and trimming.

The model: a stream's hash keys are a few cells; its shards split and merge; time is the number of events.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint.seeding import (
    AtTimestamp,
    HashRange,
    Lease,
    Shard,
    Start,
    TrimHorizon,
    covers_completely,
    plan_seed,
    without_descendants,
)

CELLS = 8
CELL = 2**128 // CELLS


@dataclass(slots=True)
class ModelShard:
    shard: Shard
    cells: range
    opened: int
    closed: int | None = None


class Stream:
    """Grows by splits and merges, each at a later time."""

    def __init__(self, reshards: list[int]) -> None:
        self.shards: list[ModelShard] = []
        self.time = 0
        self._open(range(CELLS // 2))
        self._open(range(CELLS // 2, CELLS))
        for choice in reshards:
            self.time += 1
            self._reshard(choice)

    def open_at(self, time: int) -> tuple[Shard, ...]:
        """As ListShards AT_TIMESTAMP: both ends count, so a moment of resharding lists two generations."""
        return tuple(
            model.shard
            for model in self.shards
            if model.opened <= time and (model.closed is None or model.closed >= time)
        )

    def closed_before(self, time: int) -> set[str]:
        return {
            model.shard.shard_id for model in self.shards if model.closed is not None and model.closed < time
        }

    def ancestors(self, shard_id: str) -> set[str]:
        found: set[str] = set()
        waiting = [shard_id]
        by_id = {model.shard.shard_id: model.shard for model in self.shards}
        while waiting:
            for parent in by_id[waiting.pop()].parents:
                found.add(parent)
                waiting.append(parent)
        return found

    def _open(self, cells: range, *parents: ModelShard) -> None:
        for parent in parents:
            parent.closed = self.time
        shard = Shard(
            shard_id=f"shardId-{len(self.shards):012}",
            parents=frozenset(parent.shard.shard_id for parent in parents),
            hash_range=HashRange(cells.start * CELL, cells.stop * CELL - 1),
        )
        self.shards.append(ModelShard(shard, cells, self.time))

    def _reshard(self, choice: int) -> None:
        live = sorted((m for m in self.shards if m.closed is None), key=lambda model: model.cells.start)
        first = live[choice % len(live)]
        neighbour = next((m for m in live if m.cells.start == first.cells.stop), None)
        if len(first.cells) > 1 and (choice % 2 or neighbour is None):
            middle = (first.cells.start + first.cells.stop) // 2
            self._open(range(first.cells.start, middle), first)
            self._open(range(middle, first.cells.stop), first)
        elif neighbour is not None:
            self._open(range(first.cells.start, neighbour.cells.stop), first, neighbour)


@st.composite
def seedings(draw: st.DrawFn) -> tuple[Stream, list[tuple[int, Start, int]]]:
    """A stream, and several seedings in the order of time: (the shards' time, the start, rows written)."""
    stream = Stream(draw(st.lists(st.integers(0, 63), max_size=6)))
    at = draw(st.none() | st.integers(0, stream.time))
    horizons = sorted(draw(st.lists(st.integers(0, stream.time), min_size=1, max_size=4)))
    written = [draw(st.integers(0, CELLS)) for _ in horizons]
    start: Start = TrimHorizon() if at is None else AtTimestamp(at)
    times = horizons if at is None else [at] * len(horizons)
    return stream, [(time, start, count) for time, count in zip(times, written, strict=True)]


def seeded(stream: Stream, runs: list[tuple[int, Start, int]]) -> list[Lease]:
    """The table after those runs, each of which dies after writing so many rows, the last one excepted."""
    leases: list[Lease] = []
    for number, (time, start, count) in enumerate(runs, start=1):
        shards = without_descendants(stream.open_at(time))
        assert covers_completely(shards)
        rows = plan_seed(leases, shards, start)
        for row in rows if number == len(runs) else rows[:count]:
            shard = row.shard
            leases.append(Lease(shard.shard_id, None, 0, row.sentinel, 0, shard.parents, 0, shard.hash_range))
    return leases


@given(seedings())
@settings(max_examples=300, deadline=None)
def test_every_shard_of_the_start_position_is_leased_itself_or_through_an_ancestor(
    history: tuple[Stream, list[tuple[int, Start, int]]],
) -> None:
    stream, runs = history
    keys = {lease.lease_key for lease in seeded(stream, runs)}
    time, _, _ = runs[-1]
    for shard in without_descendants(stream.open_at(time)):
        assert keys & {shard.shard_id, *stream.ancestors(shard.shard_id)}


@given(seedings())
@settings(max_examples=300, deadline=None)
def test_a_shard_leased_beside_an_ancestor_that_holds_records_names_it_as_its_parent(
    history: tuple[Stream, list[tuple[int, Start, int]]],
) -> None:
    """KCL then waits for it. One that a dead pod leased, and that was trimmed since, holds up nothing."""
    stream, runs = history
    leases = seeded(stream, runs)
    time, _, _ = runs[-1]
    keys = {lease.lease_key for lease in leases} - stream.closed_before(time)
    for lease in leases:
        assert stream.ancestors(lease.lease_key) & keys <= lease.parents


@given(seedings())
@settings(max_examples=300, deadline=None)
def test_seeding_again_writes_nothing(history: tuple[Stream, list[tuple[int, Start, int]]]) -> None:
    stream, runs = history
    leases = seeded(stream, runs)
    time, start, _ = runs[-1]
    assert plan_seed(leases, without_descendants(stream.open_at(time)), start) == ()


@given(seedings(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_live_checkpoint_forbids_every_row(
    history: tuple[Stream, list[tuple[int, Start, int]]], data: st.DataObject
) -> None:
    stream, runs = history
    leases = seeded(stream, runs)
    victim = data.draw(st.sampled_from(leases))
    begun = Lease(victim.lease_key, "pod-1", 9, "4959", 0, victim.parents, 0, victim.hash_range)
    others = [data.draw(st.sampled_from(leases)) for _ in range(data.draw(st.integers(0, 2)))]
    for time in range(stream.time + 1):
        assert plan_seed([begun, *others], stream.open_at(time), TrimHorizon()) == ()
