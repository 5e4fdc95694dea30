"""The leader-lock guard against a lock and leases as KCL 3.1.3 writes them, on a clock of its own."""

from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio

from checkpoint.api import Answer, Api
from checkpoint.guard import LeaderLockGuard
from checkpoint.leases import create_tables
from tests.integration.conftest import Aws

FAILOVER = 10.0


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Application:
    """An application's lock and leases, changed as its leader would."""

    def __init__(self, aws: Aws, name: str, guard: LeaderLockGuard, clock: Clock) -> None:
        self._aws = aws
        self._name = name
        self._guard = guard
        self.clock = clock

    @property
    def has_lock(self) -> bool:
        found = self._aws.dynamodb.get_item(
            TableName=f"{self._name}-CoordinatorState", Key={"key": {"S": "Leader"}}
        )
        return "Item" in found

    def lock(self, owner: str, version: str = "v1") -> None:
        self._aws.dynamodb.put_item(
            TableName=f"{self._name}-CoordinatorState",
            Item={
                "key": {"S": "Leader"},
                "ownerName": {"S": owner},
                "recordVersionNumber": {"S": version},
                "leaseDuration": {"S": "120000"},
            },
        )

    def lease(self, owner: str, counter: int, shard_id: str = "shardId-0", checkpoint: str = "4959") -> None:
        self._aws.dynamodb.put_item(
            TableName=self._name,
            Item={
                "leaseKey": {"S": shard_id},
                "leaseOwner": {"S": owner},
                "leaseCounter": {"N": str(counter)},
                "checkpoint": {"S": checkpoint},
                "checkpointSubSequenceNumber": {"N": "0"},
                "ownerSwitchesSinceCheckpoint": {"N": "0"},
            },
        )

    async def release(self) -> bool:
        """What the pod does once its daemon has ended."""
        return await self._guard.release()

    async def pass_seconds(self, seconds: int, *, daemon_alive: bool = True) -> bool:
        """Let the guard look every 5 s for that long; whether it deleted the lock."""
        deleted = (await self._guard.step(daemon_alive=daemon_alive)).deleted
        for _ in range(seconds // 5):
            self.clock.now += 5.0
            deleted |= (await self._guard.step(daemon_alive=daemon_alive)).deleted
        return deleted


@pytest_asyncio.fixture
async def application(aws: Aws, dynamodb: Api, prefix: str) -> Application:
    await create_tables(dynamodb, prefix)
    clock = Clock()
    guard = LeaderLockGuard(dynamodb, prefix, worker_id="pod-0", failover_time=FAILOVER, clock=clock)
    return Application(aws, prefix, guard, clock)


async def test_without_a_lock_there_is_nothing_to_do(application: Application) -> None:
    assert not await application.pass_seconds(300)


async def test_the_lock_of_a_leader_whose_leases_stand_still_for_twice_the_failover_time_is_deleted(
    application: Application,
) -> None:
    application.lock("pod-1")
    application.lease("pod-1", 7)
    assert not await application.pass_seconds(15)
    assert await application.pass_seconds(5)
    assert not application.has_lock


async def test_a_leader_that_renews_one_of_its_leases_keeps_its_lock(application: Application) -> None:
    application.lock("pod-1")
    application.lease("pod-1", 7)
    for counter in range(20):
        application.lease("pod-1", counter, "shardId-1")
        assert not await application.pass_seconds(15)
    assert application.has_lock


async def test_a_lock_that_gets_a_new_version_is_a_sign_of_life(application: Application) -> None:
    application.lease("pod-1", 7)
    for version in range(10):
        application.lock("pod-1", f"v{version}")
        assert not await application.pass_seconds(15)


async def test_the_silence_of_another_owner_s_leases_says_nothing(application: Application) -> None:
    application.lock("pod-1")
    application.lease("pod-2", 7)
    for counter in range(4):
        application.lease("pod-1", counter, "shardId-1")
        assert not await application.pass_seconds(15)


@pytest.mark.parametrize("has_ended_lease", [False, True])
async def test_a_leader_without_a_live_lease_is_given_three_heartbeats(
    application: Application, *, has_ended_lease: bool
) -> None:
    application.lock("pod-1")
    if has_ended_lease:
        application.lease("pod-1", 7, checkpoint="SHARD_END")
    assert not await application.pass_seconds(85)
    assert await application.pass_seconds(5)
    assert not application.has_lock


async def test_a_leader_without_leases_that_beats_keeps_its_lock(application: Application) -> None:
    for version in range(10):
        application.lock("pod-1", f"v{version}")
        assert not await application.pass_seconds(30)


async def test_our_own_lock_is_left_alone_while_our_daemon_lives(application: Application) -> None:
    application.lock("pod-0")
    application.lease("pod-0", 7)
    assert not await application.pass_seconds(300)
    assert await application.pass_seconds(0, daemon_alive=False)


async def test_a_new_leader_is_given_its_own_time(application: Application) -> None:
    application.lock("pod-1")
    application.lease("pod-1", 7)
    await application.pass_seconds(15)
    application.lock("pod-2", "v9")
    application.lease("pod-2", 8)
    assert not await application.pass_seconds(15)
    assert await application.pass_seconds(5)


async def test_a_guard_that_could_not_look_counts_no_silence(application: Application) -> None:
    application.lock("pod-1")
    application.lease("pod-1", 7)
    await application.pass_seconds(15)
    application.clock.now += 60.0
    assert not await application.pass_seconds(15)
    assert await application.pass_seconds(5)


@pytest.mark.parametrize(("owner", "released"), [("pod-0", True), ("pod-1", False), (None, False)])
async def test_a_pod_whose_daemon_has_ended_releases_its_own_lock_and_no_other(
    application: Application, owner: str | None, *, released: bool
) -> None:
    if owner is not None:
        application.lock(owner)
    assert await application.release() is released
    assert application.has_lock is (owner == "pod-1")


class BeatingApi:
    """Just before the lock would be deleted, its owner gives it a new version."""

    def __init__(self, api: Api, application: str) -> None:
        self._api = api
        self._table = f"{application}-CoordinatorState"

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "DeleteItem":
            beat = {
                "TableName": self._table,
                "Key": {"key": {"S": "Leader"}},
                "UpdateExpression": "SET recordVersionNumber = :next",
                "ExpressionAttributeValues": {":next": {"S": "next"}},
            }
            await self._api.call("UpdateItem", beat)
        return await self._api.call(operation, request, expect=expect)


async def test_a_lock_that_was_renewed_after_the_last_look_is_not_deleted(
    aws: Aws, dynamodb: Api, prefix: str
) -> None:
    await create_tables(dynamodb, prefix)
    clock = Clock()
    guard = LeaderLockGuard(
        BeatingApi(dynamodb, prefix), prefix, worker_id="pod-0", failover_time=FAILOVER, clock=clock
    )
    application = Application(aws, prefix, guard, clock)
    application.lock("pod-1")
    application.lease("pod-1", 7)
    assert not await application.pass_seconds(30)
    assert application.has_lock
