"""Whose PostgreSQL table and ledger it is, without a server."""

from typing import Any

import pytest

from consumer.pod.targets.checks import Findings, check_homes
from consumer.pod.targets.sql_checks import Owner, refusal
from consumer.settings.context import SqlFacts
from consumer.settings.model import Processor
from tests.unit.pod.conftest import make_settings

OURS = Owner("shop", "view", "f1", ("id",))


@pytest.mark.parametrize(
    ("found", "has_entries", "has_run", "starts_here", "why"),
    [
        (None, False, False, False, None),
        (None, False, True, False, "it is new"),
        (None, False, True, True, None),
        (OURS, True, True, False, None),
        (
            Owner("shop", "other", "f1"),
            False,
            False,
            True,
            "belongs to processor 'other' of application 'shop'",
        ),
        (
            Owner("other", "view", "f1"),
            False,
            False,
            True,
            "belongs to processor 'view' of application 'other'",
        ),
        (Owner("shop", "view", "f0"), False, True, False, None),
        (Owner("shop", "view", "f0"), True, False, False, "filled by other settings"),
        (Owner("shop", "view", "f0"), True, True, True, None),
        (Owner("shop", "view", "f0", ("day",)), True, True, True, "name rows by day, and not by id"),
        (Owner("shop", "view", "f0", ("day",)), False, True, True, None),
        (Owner("shop", "view", "f0", ("id",)), True, True, True, None),
    ],
)
def test_a_ledger_is_taken_where_nothing_can_be_missing_from_it(
    found: Owner | None,
    has_entries: bool,  # noqa: FBT001 - a column of the table
    has_run: bool,  # noqa: FBT001 - the same
    starts_here: bool,  # noqa: FBT001 - the same
    why: str | None,
) -> None:
    reason = refusal(found, OURS, has_entries=has_entries, has_run=has_run, starts_here=starts_here)
    assert (reason is None) is (why is None)
    assert (why or "") in (reason or "")


def sums(name: str, add: str, **store: Any) -> dict[str, Any]:  # noqa: ANN401 - what a YAML file may hold
    table = {"postgresql": {"table": "sums", **store}}
    return {"name": name, "aggregate": {"store": table, "group_by": {"day": "new.day"}, "add": {add: "`1`"}}}


def homes(*processors: dict[str, Any]) -> list[str]:
    made: tuple[Processor, ...] = make_settings(processors=list(processors)).processors
    facts = SqlFacts(table="sums", columns={}, fingerprint="f1")
    findings = Findings()
    check_homes(made, {processor.name: facts for processor in made}, findings)
    return findings.problems


def test_a_postgresql_table_belongs_to_one_aggregate() -> None:
    (problem,) = homes(sums("a", "x"), sums("b", "y"))
    assert "processors.b: processor 'a' writes to PostgreSQL table 'sums' already" in problem


def test_tables_of_one_name_in_two_databases_are_two() -> None:
    assert homes(sums("a", "x", url_env="ONE"), sums("b", "x", url_env="OTHER")) == []
