"""What TTL would take that it should not is told of before it does."""

from typing import Any

import pytest

from consumer.pod.targets.checks import (
    Findings,
    check_expiry,
    check_ledger,
    check_ledgers,
    check_target,
)
from consumer.settings.context import TableFacts
from consumer.settings.model import Processor
from tests.unit.pod.conftest import make_settings

ORDERS = TableFacts(
    name="orders", region="us-east-1", partition_key="id", key_types={"id": "S"}, ttl_attribute="expiresAt"
)
VIEW = ORDERS.model_copy(update={"name": "view", "ttl_attribute": "tombstoneExpiresAt"})


def findings_of(target: TableFacts, source: TableFacts = ORDERS, **projection: Any) -> Findings:  # noqa: ANN401 - what a YAML file may hold
    document = {"store": {"dynamodb": {"table": "view"}}, "key": {"id": "keys.id"}, **projection}
    settings = make_settings(processors=[{"name": "view", "projection": document}])
    findings = Findings()
    check_target(settings.processors[0], source, target, findings)
    return findings


@pytest.mark.parametrize("fields", [None, {"expiresAt": "new.expiresAt"}])
def test_a_ttl_attribute_of_its_own_is_fine(fields: dict[str, str] | None) -> None:
    assert findings_of(VIEW, fields=fields) == Findings()


def test_a_table_without_ttl_is_warned_of_whatever_the_source_has() -> None:
    without = {"ttl_attribute": None}
    source = ORDERS.model_copy(update=without)
    (warning,) = findings_of(VIEW.model_copy(update=without), source).warnings
    assert "has no TTL" in warning


@pytest.mark.parametrize(
    ("ttl_attribute", "fields"),
    [
        pytest.param("expiresAt", None, id="the whole item, and the source's own TTL attribute"),
        pytest.param("until", {"until": "new.validUntil"}, id="a field"),
    ],
)
def test_a_ttl_attribute_that_the_rows_have_is_warned_of(
    ttl_attribute: str, fields: dict[str, str] | None
) -> None:
    found = findings_of(VIEW.model_copy(update={"ttl_attribute": ttl_attribute}), fields=fields)
    assert found.problems == []
    (warning,) = found.warnings
    assert f"expires rows by '{ttl_attribute}', which the rows have of their items" in warning


def test_the_sources_ttl_attribute_is_fine_where_the_rows_leave_it_out() -> None:
    target = VIEW.model_copy(update={"ttl_attribute": "expiresAt"})
    assert findings_of(target, fields={"total": "new.total"}) == Findings()


def test_a_ttl_attribute_that_is_part_of_the_key_is_refused() -> None:
    numbered = {"sort_key": "number", "key_types": {"id": "S", "number": "N"}}
    source, target = (table.model_copy(update=numbered) for table in (ORDERS, VIEW))
    target = target.model_copy(update={"ttl_attribute": "number"})
    found = findings_of(target, source, key={"id": "keys.id", "number": "keys.number"})
    (problem,) = found.problems
    assert "expires rows by 'number', which is part of its key" in problem


def sums(**aggregate: Any) -> Processor:  # noqa: ANN401 - the same
    document = {
        "store": {"dynamodb": {"table": "sums"}},
        "group_by": {"day": "new.day"},
        "add": {"orders": "`1`"},
        **aggregate,
    }
    return make_settings(processors=[{"name": "sales", "aggregate": document}]).processors[0]


SUMS = TableFacts(
    name="sums", region="us-east-1", partition_key="day", key_types={"day": "S"}, ledger="sums-sales-ledger"
)


def test_an_aggregate_of_items_that_expire_must_say_whether_they_count_then() -> None:
    findings = Findings()
    check_expiry(sums(), ORDERS, findings)
    (problem,) = findings.problems
    assert problem.startswith(
        "processors.sales.aggregate.on_expiry is missing: table 'orders' expires its items by 'expiresAt'"
    )


@pytest.mark.parametrize(
    ("on_expiry", "ttl_attribute"), [("remove", "expiresAt"), ("keep", "expiresAt"), (None, None)]
)
def test_an_aggregate_that_says_so_or_whose_items_never_expire_is_fine(
    on_expiry: str | None, ttl_attribute: str | None
) -> None:
    findings = Findings()
    processor = sums(on_expiry=on_expiry)
    check_expiry(processor, ORDERS.model_copy(update={"ttl_attribute": ttl_attribute}), findings)
    check_target(processor, ORDERS, SUMS, findings)
    assert findings == Findings()


def test_sums_in_a_table_that_expires_its_rows_are_warned_of() -> None:
    findings = Findings()
    check_target(sums(), ORDERS, SUMS.model_copy(update={"ttl_attribute": "until"}), findings)
    (warning,) = findings.warnings
    assert "expires rows by 'until': a row that expires takes its sums along" in warning


LEDGER = TableFacts(
    name="view-ledger",
    region="us-east-1",
    partition_key="item",
    key_types={"item": "S"},
    ttl_attribute="expires",
)


def ledger_problems(**changes: Any) -> list[str]:  # noqa: ANN401 - a table's facts
    findings = Findings()
    check_ledger(
        "processors.view.projection.store", LEDGER.model_copy(update=changes), ("item", "expires"), findings
    )
    return findings.problems


def test_a_read_model_with_a_ledger_needs_no_ttl_but_none_may_take_its_rows() -> None:
    ledgered = VIEW.model_copy(update={"ledger": "view-ledger", "ttl_attribute": None})
    assert findings_of(ledgered) == Findings()
    expiring = ledgered.model_copy(update={"ttl_attribute": "expiresAt"})
    (warning,) = findings_of(expiring).warnings
    assert "which the rows have of their items" in warning


@pytest.mark.parametrize("ttl_attribute", ["expires", None])
def test_a_ledger_that_was_made_before_is_one(ttl_attribute: str | None) -> None:
    assert ledger_problems(ttl_attribute=ttl_attribute) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"partition_key": "id", "key_types": {"id": "S"}},
        {"key_types": {"item": "N"}},
        {"sort_key": "number", "key_types": {"item": "S", "number": "N"}},
    ],
)
def test_a_table_of_another_key_is_no_ledger(changes: dict[str, Any]) -> None:
    (problem,) = ledger_problems(**changes)
    assert problem.startswith(
        "processors.view.projection.store.dynamodb.ledger: table 'view-ledger' is no ledger"
    )


def test_a_ledger_that_expires_by_another_attribute_is_refused() -> None:
    (problem,) = ledger_problems(ttl_attribute="until")
    assert "enable TTL on 'expires' instead" in problem


@pytest.mark.parametrize("ledger", ["orders", "view", "other", "other-ledger"])
def test_no_table_is_a_ledger_and_something_else(ledger: str) -> None:
    other = VIEW.model_copy(update={"name": "other", "ledger": "other-ledger"})
    findings = Findings()
    check_ledgers(ORDERS, {"other": other, "view": VIEW.model_copy(update={"ledger": ledger})}, findings)
    (problem,) = findings.problems
    assert problem.startswith(f"processors.view: its ledger would be table '{ledger}' in us-east-1")


def test_ledgers_of_one_name_in_two_regions_are_two() -> None:
    tables = {
        region: VIEW.model_copy(update={"name": region, "region": region, "ledger": "ledger"})
        for region in ("us-east-1", "us-west-2")
    }
    findings = Findings()
    check_ledgers(ORDERS, tables, findings)
    assert findings == Findings()
