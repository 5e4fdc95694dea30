"""What is written, moved and left alone before the daemon starts: tables of cases."""

import pytest

from checkpoint.seeding import (
    AtTimestamp,
    HashRange,
    Lease,
    LeaseRow,
    Move,
    Shard,
    Start,
    TrimHorizon,
    covers_completely,
    has_begun,
    plan_moves,
    plan_seed,
    without_descendants,
)

MIDDLE = 2**127
LAST = 2**128 - 1
LEFT = HashRange(0, MIDDLE - 1)
RIGHT = HashRange(MIDDLE, LAST)


def shard(shard_id: str, hash_range: HashRange, *parents: str) -> Shard:
    return Shard(shard_id, frozenset(parents), hash_range)


def lease(
    shard_id: str, hash_range: HashRange | None, checkpoint: str = "TRIM_HORIZON", *parents: str
) -> Lease:
    return Lease(shard_id, None, 0, checkpoint, 0, frozenset(parents), 0, hash_range)


ZERO = shard("shardId-0", LEFT)
ONE = shard("shardId-1", RIGHT)


def ids(rows: tuple[LeaseRow, ...]) -> list[str]:
    return [row.shard.shard_id for row in rows]


def test_an_empty_table_gets_every_shard_of_the_start_position() -> None:
    assert plan_seed([], (ZERO, ONE), TrimHorizon()) == (
        LeaseRow(ZERO, "TRIM_HORIZON"),
        LeaseRow(ONE, "TRIM_HORIZON"),
    )


def test_a_start_at_a_time_is_written_as_such() -> None:
    rows = plan_seed([], (ZERO, ONE), AtTimestamp(1_800_000_000))
    assert [row.sentinel for row in rows] == ["AT_TIMESTAMP", "AT_TIMESTAMP"]


def test_what_a_crashed_pod_left_unwritten_is_written() -> None:
    assert ids(plan_seed([lease("shardId-0", LEFT)], (ZERO, ONE), TrimHorizon())) == ["shardId-1"]


@pytest.mark.parametrize(
    "checkpoint", ["49590338271490256608559692538361571095921575989136588898", "SHARD_END"]
)
def test_once_anything_is_checkpointed_no_row_is_written(checkpoint: str) -> None:
    leases = [lease("shardId-0", LEFT, checkpoint)]
    assert has_begun(leases)
    assert plan_seed(leases, (ZERO, ONE), TrimHorizon()) == ()


def test_a_shard_whose_children_have_leases_is_not_written_again() -> None:
    children = [
        lease("shardId-2", HashRange(0, 99), "TRIM_HORIZON", "shardId-0"),
        lease("shardId-3", HashRange(100, MIDDLE - 1), "TRIM_HORIZON", "shardId-0"),
    ]
    assert ids(plan_seed(children, (ZERO, ONE), TrimHorizon())) == ["shardId-1"]


def test_a_shard_whose_parent_has_a_lease_is_written_and_names_it_so_that_the_parent_is_read_first() -> None:
    child = shard("shardId-2", LEFT, "shardId-0")
    leases = [lease("shardId-0", LEFT), lease("shardId-1", RIGHT)]
    rows = plan_seed(leases, (child, ONE), TrimHorizon())
    assert ids(rows) == ["shardId-2"]
    assert rows[0].shard.parents == {"shardId-0"}


def test_a_shard_is_left_to_kcl_where_a_lease_that_is_not_its_parent_s_shares_its_hash_keys() -> None:
    grandchild = shard("shardId-4", LEFT, "shardId-2")
    assert ids(plan_seed([lease("shardId-0", LEFT)], (grandchild, ONE), TrimHorizon())) == ["shardId-1"]


def test_a_lease_without_a_hash_range_may_share_any_hash_key() -> None:
    assert plan_seed([lease("shardId-9", None)], (ZERO, ONE), TrimHorizon()) == ()


@pytest.mark.parametrize(
    ("ranges", "complete"),
    [
        ([(0, LAST)], True),
        ([(0, 9), (10, LAST)], True),
        ([(10, LAST), (0, 9)], True),
        ([], False),
        ([(0, LAST - 1)], False),
        ([(1, LAST)], False),
        ([(0, 9), (11, LAST)], False),
        ([(0, 10), (10, LAST)], False),
        ([(0, LAST), (0, LAST)], False),
    ],
)
def test_shards_cover_completely_only_if_each_hash_key_is_in_exactly_one(
    ranges: list[tuple[int, int]], *, complete: bool
) -> None:
    shards = tuple(shard(f"shardId-{n}", HashRange(*keys)) for n, keys in enumerate(ranges))
    assert covers_completely(shards) is complete


def test_of_a_listing_that_has_both_generations_the_parents_are_kept() -> None:
    both = (
        ZERO,
        ONE,
        shard("shardId-2", HashRange(0, 99), "shardId-0"),
        shard("shardId-3", RIGHT, "shardId-1"),
    )
    assert without_descendants(both) == (ZERO, ONE)


@pytest.mark.parametrize(
    ("checkpoint", "start", "sentinel"),
    [
        ("LATEST", TrimHorizon(), "TRIM_HORIZON"),
        ("LATEST", AtTimestamp(1), "AT_TIMESTAMP"),
        ("AT_TIMESTAMP", TrimHorizon(), "TRIM_HORIZON"),
        ("AT_TIMESTAMP", AtTimestamp(1), None),
        ("TRIM_HORIZON", TrimHorizon(), None),
        ("TRIM_HORIZON", AtTimestamp(1), None),
        ("SHARD_END", AtTimestamp(1), None),
        ("4959", TrimHorizon(), None),
    ],
)
def test_only_a_sentinel_that_the_daemon_would_get_wrong_is_moved(
    checkpoint: str, start: Start, sentinel: str | None
) -> None:
    moves = plan_moves([lease("shardId-0", LEFT, checkpoint)], start)
    assert [(move.was, move.sentinel) for move in moves] == ([(checkpoint, sentinel)] if sentinel else [])


def test_a_sentinel_is_moved_though_other_shards_have_begun() -> None:
    leases = [lease("shardId-0", LEFT, "4959"), lease("shardId-1", RIGHT, "LATEST")]
    assert plan_moves(leases, TrimHorizon()) == (Move("shardId-1", "LATEST", "TRIM_HORIZON"),)
