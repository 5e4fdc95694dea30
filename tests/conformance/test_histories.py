"""Whatever happens to a table and its shards, every read model ends at the truth."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conformance.cases import CASES, Case
from tests.conformance.draw import histories
from tests.conformance.history import History
from tests.conformance.known import HISTORIES
from tests.conformance.suite import SERVERS, pairs
from tests.conformance.targets.base import Target
from tests.conformance.targets.in_memory import InMemoryTarget
from tests.conformance.voyage import carry_out

EXAMPLES = {"dynamodb_in_memory": 100, "dynamodb_sandbox": 5, "postgresql_table": 6, "opensearch_index": 5}
"""By store: how many histories a test run draws for each processor."""

SEEDS = 6
"""Schedules for each history that is known to be hard."""


@pytest.mark.parametrize(("store", "case"), pairs(CASES))
def test_the_read_model_ends_at_the_truth(store: str, case: Case, request: pytest.FixtureRequest) -> None:
    target: Target = request.getfixturevalue(store)
    times = request.config.getoption("--examples", default=1.0)

    @settings(
        max_examples=max(1, round(EXAMPLES[store] * times)),
        deadline=None,  # how long an example takes says more of the machine than of the code
        print_blob=True,
        suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow],
    )
    @given(histories(case, mixes_clocks=target.mixes_clocks))
    def check(history: History) -> None:
        carry_out(target, case, history)

    check()


@pytest.mark.parametrize("what", HISTORIES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_histories_that_are_known_to_be_hard_end_at_the_truth(
    case: Case, what: str, dynamodb_in_memory: InMemoryTarget
) -> None:
    for seed in range(SEEDS):
        carry_out(dynamodb_in_memory, case, replace(HISTORIES[what], seed=seed))


@pytest.mark.parametrize(("store", "case"), pairs(CASES, SERVERS))
def test_servers_go_through_those_that_need_no_chance(
    store: str, case: Case, request: pytest.FixtureRequest
) -> None:
    target: Target = request.getfixturevalue(store)
    for history in HISTORIES.values():
        if not any(shard.endings for shard in history.shards):
            carry_out(target, case, history)
