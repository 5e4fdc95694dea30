"""A live application and its rebuild as their tables show them; shard processes are played by the test."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from checkpoint.api import Api
from checkpoint.control import NEVER, Control, Controls
from checkpoint.leases import create_tables
from checkpoint.positions import Positions, ProcessorPosition, ShardPosition, Stopped
from consumer.aws.clients import Clients
from consumer.commands.rebuild.plan import RebuildPlan, plan_rebuild
from consumer.processors.base import fingerprint
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.pod.conftest import REGION, Shop
from tests.support.aws import clients_of

SHARD = "shardId-000000000000"
WORKER = "pod-0"


@pytest_asyncio.fixture
async def clients(sandbox: SandboxProcess) -> AsyncIterator[Clients]:
    async with clients_of(sandbox) as opened:
        yield opened


@pytest.fixture
def dynamodb(clients: Clients) -> Api:
    return clients.client("dynamodb", REGION)


@pytest.fixture
def stores(clients: Clients) -> Stores:
    return Stores(clients, {})


@pytest.fixture
def shop(aws: Aws, prefix: str) -> Shop:
    return Shop(aws, prefix)


@dataclass(frozen=True, slots=True)
class Played:
    """One application with one shard."""

    aws: Aws
    dynamodb: Api
    settings: Settings

    @property
    def positions(self) -> Positions:
        return Positions(self.dynamodb, self.settings.application)

    async def make(self) -> None:
        await create_tables(self.dynamodb, self.settings.application)
        await self.positions.create()
        await self.positions.write_processors(
            {processor.name: fingerprint(processor) for processor in self.settings.processors}
        )
        self.lease("TRIM_HORIZON")

    def lease(self, checkpoint: str, owner: str = WORKER) -> None:
        self.aws.dynamodb.put_item(
            TableName=self.settings.application,
            Item={
                "leaseKey": {"S": SHARD},
                "leaseOwner": {"S": owner},
                "leaseCounter": {"N": "1"},
                "ownerSwitchesSinceCheckpoint": {"N": "0"},
                "checkpoint": {"S": checkpoint},
                "checkpointSubSequenceNumber": {"N": "0"},
            },
        )

    async def settled(self, number: int, *, stopped: Control | None = None) -> None:
        """Write the shard's row: all settled up to a record."""
        told = {} if stopped is None else {"view": Stopped(stopped.token, WORKER, (str(number), 0))}
        marks = {"view": ProcessorPosition(str(number), 0, "any")}
        await self.positions.write_shard(ShardPosition(SHARD, marks, None, stopped=told))

    async def obey(self, number: int) -> None:
        """Stop at a record as soon as the control row says so."""
        while True:
            control = (await Controls(self.dynamodb, self.settings.application).read()).get("view", NEVER)
            if control.phase == "stop":
                await self.settled(number, stopped=control)
                return
            await asyncio.sleep(0.05)


@pytest.fixture
def live(aws: Aws, dynamodb: Api, shop: Shop) -> Played:
    return Played(aws, dynamodb, shop.settings())


@pytest.fixture
def plan(shop: Shop) -> RebuildPlan:
    return plan_rebuild(shop.settings(), "view", None, 0)


@pytest.fixture
def rebuilt(aws: Aws, dynamodb: Api, plan: RebuildPlan) -> Played:
    return Played(aws, dynamodb, plan.settings)


@pytest_asyncio.fixture
async def both(live: Played, rebuilt: Played, shop: Shop, plan: RebuildPlan) -> tuple[Played, Played]:
    """Both applications with their tables and models, and nothing in them."""
    await live.make()
    await rebuilt.make()
    for table in (shop.view, plan.into):
        shop.make_table(table)
    return live, rebuilt
