"""docs/run.md's IAM policy is held to what the service and its daemon call."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sandbox.faults.fault import Fault
from sandbox.process import SandboxProcess
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage, set_stage
from tests.integration.conftest import connect
from tests.support.pages import ROOT, blocks

NAMES_IN_THE_POLICY = ("shop-orders", "orders-changes", "order-view", "order-lines", "orders")
LINES = "lines"
"""A projection with a ledger."""

NOT_CALLED = {"kinesis:DescribeStream", "dynamodb:UpdateTable"}
"""On AWS's list for KCL, and in the policy for that alone."""


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    """On a sandbox of its own: whatever it is asked, the service asks."""
    with SandboxProcess() as sandbox:
        yield set_stage(sandbox, connect(sandbox), tmp_path)


def permissions(stage: Stage) -> Iterator[tuple[str, str, str]]:
    """Service, operation and name of the resource, for each call that the policy allows."""
    names = (stage.application, stage.stream, stage.view, stage.view_named(LINES), stage.table)
    actual = dict(zip(NAMES_IN_THE_POLICY, names, strict=True))
    policies = [
        json.loads(block.text)
        for under in ("Permissions", "Permissions for ledgers")
        for block in blocks(ROOT / "docs" / "run.md", "json", under=under)
    ]
    for statement in (statement for policy in policies for statement in policy["Statement"]):
        for action in as_list(statement["Action"]):
            for arn in as_list(statement["Resource"]):
                service, _, operation = action.partition(":")
                name = arn.split("/")[1]
                known = next(documented for documented in NAMES_IN_THE_POLICY if name.startswith(documented))
                yield service, operation, actual[known] + name.removeprefix(known)


def knows_its_lag(pod: Service) -> bool:
    return all(shard.lag_seconds is not None for shard in pod.shards())


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def watch(stage: Stage, service: str, operation: str | None = None, resource: str | None = None) -> str:
    """Count requests: a delay of nothing strikes each and harms none."""
    fault = Fault(kind="delay", service=service, operation=operation, resource=resource)
    return stage.sandbox.faults.add(fault)


def test_the_policy_allows_every_call_and_no_more(own_stage: Stage) -> None:
    stage = own_stage
    stage.add_view(LINES)
    moving = stage.projection(LINES, key={"id": "concat('row of ', keys.id)"})
    Shop(stage).write(20)
    all_calls = [watch(stage, "dynamodb"), watch(stage, "kinesis")]
    # A request of Kinesis may name its shard's iterator alone, so those are told by their operation.
    allowed = {
        (service, operation, resource if service == "dynamodb" else None)
        for service, operation, resource in permissions(stage)
    }
    # IAM has no such action: a transaction is allowed by those of the writes in it.
    allowed.add(("dynamodb", "TransactWriteItems", f"{stage.view_named(LINES)}-ledger"))
    watched = {permission: watch(stage, *permission) for permission in allowed}

    for retrieval, unread in (("polling", 20), ("fan_out", 0)):
        with Service(stage, stage.write_settings(stage.projection(), moving, retrieval=retrieval)) as pod:
            pod.wait_until_at_work()
            pod.wait_until_settled(2 * unread)
            pod.wait_until(partial(knows_its_lag, pod), "both shards were read to their ends")
            assert pod.stop() == 0

    strikes = {permission: stage.sandbox.faults.strikes(fault) for permission, fault in watched.items()}
    assert sum(strikes.values()) == sum(map(stage.sandbox.faults.strikes, all_calls)), strikes
    called = {f"{service}:{operation}" for (service, operation, _), count in strikes.items() if count}
    assert {f"{service}:{operation}" for service, operation, _ in allowed} - called == NOT_CALLED
