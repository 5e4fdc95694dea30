"""docs/aggregate.md's policy is held to what an aggregate calls."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.faults.fault import Fault
from sandbox.process import SandboxProcess
from tests.integration.aggregate.conftest import RESERVED_STOCK, Shop
from tests.integration.aggregate.test_dynamodb import of_lines
from tests.integration.conftest import connect
from tests.support.pages import ROOT, blocks

TRANSACTION = "TransactWriteItems"
"""Allowed by the permissions of the writes in it: IAM has no such action."""

WRITES = {"UpdateItem"}
"""Only ever asked for within a transaction. PutItem is besides, of the item that says whose the ledger is."""


@pytest.fixture
def own_sandbox() -> Iterator[SandboxProcess]:
    """A sandbox that nobody else asks for anything."""
    with SandboxProcess() as sandbox:
        yield sandbox


def permissions(shop: Shop) -> Iterator[tuple[str, str]]:
    """Operation and table, for each call that the policy allows."""
    (policy,) = blocks(ROOT / "docs" / "aggregate.md", "json", under="Permissions")
    tables = {"sales": shop.sums, "sales-sales-ledger": f"{shop.sums}-sums-ledger"}
    for statement in json.loads(policy.text)["Statement"]:
        for action in statement["Action"]:
            yield action.removeprefix("dynamodb:"), tables[statement["Resource"].rpartition("/")[2]]


async def test_the_policy_allows_every_call_of_an_aggregate_and_no_more(
    own_sandbox: SandboxProcess, tmp_path: Path
) -> None:
    shop = Shop(connect(own_sandbox), own_sandbox, "shop", tmp_path / "letters.jsonl", RESERVED_STOCK)
    shop.make()
    shop.write(of_lines("a", ("p1", "2")), of_lines("b", ("p1", "3")))
    records = shop.records()

    def watch(operation: str | None, table: str) -> str:
        """Count requests: a delay of nothing strikes each and harms none."""
        return own_sandbox.faults.add(
            Fault(kind="delay", service="dynamodb", operation=operation, resource=table)
        )

    tables = {table for _, table in permissions(shop)}
    allowed = {*permissions(shop), *((TRANSACTION, table) for table in tables)}
    asked = {table: watch(None, table) for table in tables}
    watched = {permission: watch(*permission) for permission in allowed}
    await shop.deliver(*records)

    strikes = {permission: own_sandbox.faults.strikes(fault) for permission, fault in watched.items()}
    assert sum(strikes.values()) == sum(map(own_sandbox.faults.strikes, asked.values())), strikes
    assert {operation for (operation, _), count in strikes.items() if not count} == WRITES
