"""Which processors there are for which stores, and how a test asks for them."""

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet

from tests.conformance.cases import CASES, Case

IN_MEMORY = "dynamodb_in_memory"
OPENSEARCH = "opensearch_index"
SERVERS = ("dynamodb_sandbox", "postgresql_table", OPENSEARCH)
STORES = (IN_MEMORY, *SERVERS)
"""The fixtures' names."""


def pairs(cases: Iterable[Case], stores: Iterable[str] = STORES) -> list[ParameterSet]:
    """The pairs of store and processor that there are, for `parametrize(("store", "case"), ...)`."""
    return [
        pytest.param(store, case, id=f"{store}-{case.name}")
        for store in stores
        for case in cases
        if has(store, case)
    ]


def has(store: str, case: Case) -> bool:
    """Whether there is such a processor for a store."""
    return not (store == OPENSEARCH and case.is_aggregate)


def cases_named(*names: str) -> list[Case]:
    by_name = {case.name: case for case in CASES}
    return [by_name[name] for name in names]
