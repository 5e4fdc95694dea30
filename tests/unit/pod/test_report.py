import pytest

from consumer.pod.adrift import Adrift
from consumer.pod.report import health_problems, is_ready, largest_lag, problems, totals
from consumer.pod.supervisor import DaemonState, DaemonStatus
from consumer.status import ProcessorStatus, ShardStatus
from tests.unit.pod.conftest import NOW, make_shard

RUNNING = DaemonStatus("running", pid=1)
STORES = {"view": "postgresql DB", "lines": "postgresql DB", "sales": "dynamodb"}


@pytest.mark.parametrize("state", ["starting", "running", "restarting", "draining"])
def test_a_pod_is_healthy_while_somebody_minds_the_daemon(state: DaemonState) -> None:
    assert health_problems(DaemonStatus(state), [], NOW) == []


def test_a_daemon_that_nobody_starts_again_is_unhealthy() -> None:
    assert "restart the pod" in health_problems(DaemonStatus("stopped"), [], NOW)[0]


@pytest.mark.parametrize("state", ["running", "waiting", "parked", "draining"])
def test_a_shard_that_ticks_is_healthy_whatever_it_waits_for(state: str) -> None:
    shard = make_shard(state=state, ticked_at=NOW - 29, lag_seconds=90_000.0)

    assert health_problems(RUNNING, [shard], NOW) == []


def test_a_shard_that_has_not_ticked_for_half_a_minute_is_unhealthy() -> None:
    (problem,) = health_problems(RUNNING, [make_shard(pid=99), make_shard(pid=77, ticked_at=NOW - 31)], NOW)

    assert "process 77" in problem
    assert "silent for 31 s" in problem


@pytest.mark.parametrize(
    ("state", "waiting_for", "ready"),
    [
        ("running", None, True),
        ("running", "AWS", False),
        ("starting", None, False),
        ("restarting", None, False),
        ("draining", None, False),
    ],
)
def test_a_pod_is_ready_when_aws_is_checked_and_the_daemon_is_up(
    state: DaemonState, waiting_for: str | None, *, ready: bool
) -> None:
    assert is_ready(DaemonStatus(state), waiting_for) is ready


def test_totals_sum_the_shards_and_the_processors() -> None:
    found = totals([make_shard("a"), make_shard("b", processors=())])

    assert (found.shards, found.records_received, found.records_in_flight) == (2, 20, 4)
    assert found.records_settled == 8
    assert found.outcomes == {"applied": 7, "stale": 1}


def test_the_largest_lag_is_of_those_that_know_theirs() -> None:
    assert largest_lag([make_shard(lag_seconds=None), make_shard(lag_seconds=3.0)], {}) == 3.0
    assert largest_lag([make_shard(lag_seconds=None)], {}) is None


def test_a_pod_that_is_well_has_nothing_to_say() -> None:
    assert problems(RUNNING, [make_shard()], None, NOW, adrift=Adrift(), stores=STORES) == []


def test_a_store_that_does_not_answer_is_named_with_its_error_and_what_will_happen() -> None:
    processor = ProcessorStatus("view", 0, {}, unavailable_since=NOW - 20, last_error="ThrottlingException")
    (sentence,) = told(make_shard("s-1", state="waiting", processors=(processor,)))

    assert sentence.startswith("s-1: view has waited 20 s")
    assert "ThrottlingException" in sentence
    assert "by itself" in sentence


def test_a_wait_for_a_store_is_told_once() -> None:
    processor = ProcessorStatus("view", 0, {}, unavailable_since=NOW - 20, last_error="ThrottlingException")
    waiting = make_shard(
        "s-1", state="waiting", processors=(processor,), message="view waits: ThrottlingException"
    )

    assert len(problems(RUNNING, [waiting], None, NOW, adrift=Adrift(), stores=STORES)) == 1


def waiting(
    shard_id: str, *names: str, error: str = "08006: no route", since: float = NOW - 20
) -> ShardStatus:
    found = (ProcessorStatus(name, 0, {}, unavailable_since=since, last_error=error) for name in names)
    return make_shard(shard_id, state="waiting", processors=tuple(found), message="view waits: 08006")


def told(*shards: ShardStatus) -> list[str]:
    return problems(RUNNING, shards, None, NOW, adrift=Adrift(), stores=STORES)


def test_all_who_wait_for_one_store_are_one_sentence() -> None:
    (sentence,) = told(waiting("s-1", "view", "lines"), waiting("s-2", "lines", since=NOW - 90))

    assert sentence == (
        "s-1 and s-2: view and lines have waited 90 s for their store (08006: no route); they go on by"
        " themselves once the store answers"
    )


def test_another_store_or_another_reason_is_another_sentence() -> None:
    found = told(waiting("s-1", "view", "sales"), waiting("s-2", "view", error="53300: too many clients"))

    assert [sentence.partition(" has")[0] for sentence in found] == ["s-1: view", "s-1: sales", "s-2: view"]


def test_a_run_of_rejected_records_is_each_processors_own() -> None:
    rejected = "20 records in a row were rejected with 42703, so the store itself seems wrong: no column"

    found = told(waiting("s-1", "view", "lines", error=rejected), waiting("s-2", "view", error=rejected))

    assert [sentence.partition(" has")[0] for sentence in found] == ["s-1 and s-2: view", "s-1: lines"]


def test_many_shards_are_counted() -> None:
    (sentence,) = told(*(waiting(f"s-{number}", "view") for number in range(12)))

    assert sentence.startswith("s-0, s-1 and 10 more shards: view has waited 20 s")


def test_what_several_shards_say_is_told_once() -> None:
    full = [make_shard(f"s-{number}", state="waiting", message=None) for number in (1, 2)]
    starting = make_shard("s-3", state="starting", message="it waits for its row")

    assert told(*full, starting) == [
        "s-1 and s-2: its window is full: it takes no more records until some are settled",
        "s-3: it waits for its row",
    ]


def test_shards_a_pod_let_go_of_because_it_cannot_renew_are_told_of_in_the_lag() -> None:
    adrift = Adrift()
    adrift.look([make_shard("s-1", lag_seconds=2.0, ticked_at=NOW - 10), make_shard("s-2")], "Http503")
    alive = [make_shard("s-2")]

    tables, shard = problems(RUNNING, alive, None, NOW, adrift=adrift, stores=STORES)
    assert tables.startswith("KCL's tables can't be reached (Http503)")
    assert shard == "s-1: let go of, 12 s behind by now"
    assert largest_lag(alive, adrift.lags(alive, NOW)) == 12.0


def test_a_parked_shard_says_itself_what_to_do() -> None:
    parked = make_shard("s-1", state="parked", message="records may be missing; set on_trimmed: continue")

    assert problems(RUNNING, [parked], None, NOW, adrift=Adrift(), stores=STORES) == [
        "s-1: records may be missing; set on_trimmed: continue"
    ]


def test_a_daemon_that_died_and_a_start_that_waits_are_told() -> None:
    died = DaemonStatus("restarting", restarts=1, last_exit="killed by SIGKILL")

    assert "killed by SIGKILL" in problems(died, [], None, NOW, adrift=Adrift(), stores=STORES)[0]
    starting = DaemonStatus("starting")
    assert problems(starting, [], "AWS can't be asked", NOW, adrift=Adrift(), stores=STORES) == [
        "not started yet: AWS can't be asked"
    ]
