"""docs/run.md's policy for dead letters is held to what keeping them calls."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from consumer.pod.letters import look_at_letters
from consumer.settings.model import Delivery, OnFailure, Settings
from consumer.shard.deadletter.places import DeadLetterPlaces
from sandbox.faults.fault import Fault
from sandbox.process import SandboxProcess
from tests.integration.conftest import connect
from tests.support.letters import ORIGIN, letter_of
from tests.support.pages import ROOT, blocks
from tests.support.waiting import eventually

SERVICES = ("sqs", "s3", "sns")
CALLED = {"s3:ListBucket": "HeadBucket"}
"""Permissions that are not named as the operation (Amazon S3 API Reference, HeadBucket)."""


@pytest.fixture
def own_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    """A sandbox that nobody else asks for anything."""
    with SandboxProcess() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox


def permissions() -> Iterator[str]:
    (policy,) = blocks(ROOT / "docs" / "run.md", "json", under="Permissions for dead letters")
    for statement in json.loads(policy.text)["Statement"]:
        actions = statement["Action"]
        yield from [actions] if isinstance(actions, str) else actions


async def test_the_policy_for_dead_letters_allows_every_call_and_no_more(own_sandbox: SandboxProcess) -> None:
    aws, faults = connect(own_sandbox), own_sandbox.faults
    aws.s3.create_bucket(Bucket="letters")
    on_failure = OnFailure(
        sqs=aws.sqs.create_queue(QueueName="letters")["QueueUrl"],
        claim_check="s3://letters/too-large",
        sns=aws.sns.create_topic(Name="letters")["TopicArn"],
    )
    processor = {
        "name": "view",
        "projection": {"store": {"dynamodb": {"table": "view"}}, "key": {"id": "keys.id"}},
    }
    settings = Settings.model_validate(
        {
            "application": "shop",
            "source": {"kinesis": {"stream": "changes", "table": "orders"}},
            "delivery": {"on_failure": on_failure.model_dump(exclude_none=True)},
            "processors": [processor],
        }
    )
    # A delay of nothing counts requests and harms none.
    every = [faults.add(Fault(kind="delay", service=service)) for service in SERVICES]
    watched = {
        permission: faults.add(
            Fault(
                kind="delay",
                service=permission.partition(":")[0],
                operation=CALLED.get(permission, permission.partition(":")[2]),
            )
        )
        for permission in permissions()
    }

    assert look_at_letters(settings, "us-east-1").problems == []
    place = DeadLetterPlaces(ORIGIN, "us-east-1", lambda *_: None).of(Delivery(on_failure=on_failure))
    for size in (10, 1_000_000):
        await place.write(letter_of(b"x" * size))
    assert await asyncio.to_thread(eventually, lambda: faults.strikes(watched["sns:Publish"]) == 2)

    strikes = {permission: faults.strikes(fault) for permission, fault in watched.items()}
    assert all(strikes.values()), strikes
    assert sum(strikes.values()) == sum(map(faults.strikes, every)), strikes
