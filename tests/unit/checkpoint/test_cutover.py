"""When a live processor has stopped and whether its rebuild has come as far: tables of cases."""

import pytest

from checkpoint.cutover import Application, behind, is_reached, newest, places, running
from checkpoint.positions import ProcessorPosition, ShardPosition, Stopped
from checkpoint.seeding import Lease

VIEW = "view"
TOKEN = "this cut-over"  # noqa: S105 - no secret


def lease(shard_id: str, checkpoint: str, *parents: str, owner: str | None = "pod-0") -> Lease:
    return Lease(shard_id, owner, 1, checkpoint, 0, frozenset(parents), 0, None)


def row(
    shard_id: str, mark: str | None = None, *, stopped: str | None = None, of: str = TOKEN, by: str = "pod-0"
) -> ShardPosition:
    """`mark`: the view's; `stopped`: the newest record it may have written, for the cut-over `of`."""
    told = {} if stopped is None else {VIEW: Stopped(of, by, (stopped, 0))}
    marks = {} if mark is None else {VIEW: ProcessorPosition(mark, 0, "blue")}
    return ShardPosition(shard_id, marks, None, stopped=told)


def application(*entries: Lease | ShardPosition) -> Application:
    leases = {entry.lease_key: entry for entry in entries if isinstance(entry, Lease)}
    rows = {entry.shard_id: entry for entry in entries if isinstance(entry, ShardPosition)}
    return Application(leases, rows)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(application(lease("a", "5"), row("a", stopped="5")), {}, id="it says so itself"),
        pytest.param(application(lease("a", "5")), {"a": "pod-0"}, id="no word of it yet"),
        pytest.param(
            application(lease("a", "5"), row("a", stopped="5", of="an earlier one")),
            {"a": "pod-0"},
            id="it stopped for another cut-over",
        ),
        pytest.param(
            application(lease("a", "5", owner="pod-1"), row("a", stopped="5", by="pod-0")),
            {"a": "pod-1"},
            id="who lost the lease says so, who has it does not",
        ),
        pytest.param(
            application(lease("a", "TRIM_HORIZON", owner=None)), {"a": None}, id="nobody has the lease"
        ),
        pytest.param(application(lease("a", "SHARD_END")), {}, id="the shard is ended"),
        pytest.param(
            application(lease("a", "5"), row("a", stopped="5"), lease("b", "TRIM_HORIZON", "a", owner=None)),
            {},
            id="a child waits for its parent",
        ),
        pytest.param(
            application(lease("a", "SHARD_END"), lease("b", "TRIM_HORIZON", "a")),
            {"b": "pod-0"},
            id="a child whose parent is ended does not",
        ),
    ],
)
def test_a_processor_runs_until_the_lease_holder_says_that_it_stopped(
    live: Application, expected: dict[str, str | None]
) -> None:
    assert running(live, VIEW, TOKEN) == expected


@pytest.mark.parametrize(
    ("live", "token", "expected"),
    [
        pytest.param(application(lease("a", "5"), row("a", "7", stopped="9")), TOKEN, ("9", 0), id="told"),
        pytest.param(application(lease("a", "5"), row("a", "7", stopped="9")), None, ("7", 0), id="unasked"),
        pytest.param(application(lease("a", "12"), row("a", "7")), TOKEN, ("12", 0), id="the checkpoint"),
        pytest.param(application(lease("a", "TRIM_HORIZON")), TOKEN, None, id="nothing read"),
        pytest.param(application(lease("a", "9"), row("a", "10")), TOKEN, ("10", 0), id="as numbers"),
    ],
)
def test_the_live_place_is_the_newest_that_anybody_knows_of(
    live: Application, token: str | None, expected: tuple[str, int] | None
) -> None:
    assert places(live, VIEW, token) == {"a": expected}


SPLIT = (lease("b", "8", "a"), lease("c", "TRIM_HORIZON", "a"))
"""Shard a was split: of b the live application has read, of c not yet."""

MERGED = (lease("a", "SHARD_END"), lease("b", "SHARD_END"), lease("c", "3", "a", "b"))


@pytest.mark.parametrize(
    ("live", "rebuilt", "expected"),
    [
        pytest.param([lease("a", "5")], [lease("a", "5")], [], id="at the place"),
        pytest.param([lease("a", "5")], [lease("a", "6")], [], id="past it"),
        pytest.param([lease("a", "5")], [lease("a", "4")], ["a"], id="before it"),
        pytest.param([lease("a", "5")], [lease("a", "4"), row("a", "5")], [], id="its mark is at the place"),
        pytest.param([lease("a", "5")], [lease("a", "TRIM_HORIZON")], ["a"], id="not begun"),
        pytest.param([lease("a", "5")], [], ["a"], id="no lease yet"),
        pytest.param([lease("a", "5")], [lease("a", "SHARD_END")], [], id="it has ended the shard"),
        pytest.param([lease("a", "TRIM_HORIZON")], [], [], id="nothing was read live"),
        pytest.param([lease("a", "SHARD_END"), *SPLIT], [lease("a", "99")], ["a", "b"], id="split"),
        pytest.param(
            [lease("a", "SHARD_END"), *SPLIT],
            [lease("a", "SHARD_END"), lease("b", "8", "a"), lease("c", "TRIM_HORIZON", "a")],
            [],
            id="split, ended",
        ),
        pytest.param(
            [lease("a", "SHARD_END"), *SPLIT],
            [lease("b", "9", "a"), lease("c", "1", "a")],
            [],
            id="split, its lease is deleted",
        ),
        pytest.param(
            list(SPLIT), [lease("b", "9", "a")], [], id="split, deleted live, the rebuild is past the child"
        ),
        pytest.param(
            list(MERGED),
            [lease("a", "SHARD_END"), lease("b", "7"), lease("c", "TRIM_HORIZON", "a", "b")],
            ["b", "c"],
            id="merged, one parent to go",
        ),
        pytest.param(
            list(MERGED),
            [lease("a", "SHARD_END"), lease("b", "SHARD_END"), lease("c", "3", "a", "b")],
            [],
            id="merged, all there",
        ),
        pytest.param(
            [lease("a", "SHARD_END"), lease("b", "SHARD_END", "a"), lease("c", "5", "b")],
            [lease("c", "5", "b")],
            [],
            id="grandparent and parent were trimmed before the rebuild began",
        ),
        pytest.param(
            [lease("a", "SHARD_END"), lease("b", "SHARD_END", "a"), lease("c", "TRIM_HORIZON", "b")],
            [lease("a", "TRIM_HORIZON")],
            ["a", "b"],
            id="generations the rebuild has yet to come to",
        ),
        pytest.param(
            [lease("a", "5")],
            [lease("b", "TRIM_HORIZON", "a")],
            [],
            id="closed and trimmed, while the live application stands before its end",
        ),
    ],
)
def test_a_rebuild_is_behind_where_it_has_yet_to_settle_what_was_read_live(
    live: list[Lease], rebuilt: list[Lease | ShardPosition], expected: list[str]
) -> None:
    ours = application(*live)
    assert behind(ours, places(ours, VIEW, None), application(*rebuilt), VIEW) == expected


def test_places_are_compared_as_numbers_and_then_by_the_record_within() -> None:
    assert newest(("9", 5), None, ("10", 0)) == ("10", 0)
    assert is_reached(("10", 1), by=("10", 1))
    assert not is_reached(("10", 1), by=("10", 0))
    assert is_reached(None, by=None)
    assert not is_reached(("1", 0), by=None)
