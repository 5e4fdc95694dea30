"""What the servers have in common: real time, a link for each process, targets made by the pod."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from consumer.pod.targets.checks import Findings
from consumer.pod.targets.look import look_at_targets
from consumer.pod.targets.make import make_targets
from consumer.settings.context import TableFacts
from consumer.settings.context import Target as Facts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from tests.conformance.pace import Pace
from tests.conformance.targets.base import Main
from tests.conformance.targets.dynamodb import SOURCE_REGION
from tests.conformance.targets.paced_dynamodb import PacedDynamoDB, regions
from tests.conformance.targets.paced_link import PacedLink
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

ADDRESS = "TIDEMARK_CONFORMANCE_STORE"
"""The environment variable of a process that says where its store is."""


class Served:
    """A server, in real time."""

    unit = 0.0005
    patience = 60.0
    key_wait = "200ms"
    mixes_clocks = True

    def clock(self) -> float:
        return time.time()

    def run(self, main: Main) -> None:
        asyncio.run(main())


async def found_and_made(settings: Settings, stores: Stores, source: TableFacts, region: str) -> Facts:
    """What the pod finds out of the one target there is, once it has made it."""
    findings = Findings()
    targets = await look_at_targets(settings, stores, region, source, findings)
    assert findings.problems == []
    await make_targets(settings, stores, source, targets)
    (facts,) = targets.values()
    return facts


@asynccontextmanager
async def linked_stores(
    port: int, address: str, pace: Pace, source: Mapping[str, Table]
) -> AsyncIterator[Stores]:
    """Stores of one process whose way to a server goes at its pace; `{port}` in the address is the way's."""
    aws = regions({SOURCE_REGION: PacedDynamoDB(InMemoryDynamoDB(source), pace)})
    async with PacedLink(port, pace) as link:
        stores = Stores(aws, {ADDRESS: address.format(port=link.port)})
        try:
            yield stores
        finally:
            await stores.close()


@asynccontextmanager
async def direct_stores(address: str) -> AsyncIterator[Stores]:
    """The pod's stores."""
    stores = Stores(regions({}), {ADDRESS: address})
    try:
        yield stores
    finally:
        await stores.close()
