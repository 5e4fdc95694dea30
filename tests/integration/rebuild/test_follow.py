"""What goes on beside a rebuild's daemon: what a person is told, and when it ends."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest

from checkpoint.api import Api
from checkpoint.control import NEVER, Control, Controls
from checkpoint.leases import create_tables
from checkpoint.positions import Positions
from consumer.commands.rebuild.follow import Follower
from consumer.commands.rebuild.plan import RebuildPlan, plan_rebuild
from consumer.log import open_log
from consumer.pod.housekeeping import Chore
from consumer.pod.ops import Pod
from consumer.pod.supervisor import Supervisor
from consumer.pod.targets.dynamodb import make_ledger
from consumer.settings.context import Endpoint, ShardContext, TableFacts
from consumer.status import ShardStatus, status_directory, write_status
from consumer.stores.opened import Stores
from tests.integration.pod.conftest import REGION, Shop

_LONGEST_WAIT_SECONDS = 60


class Lines:
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.said: list[str] = []
        self.news = asyncio.Event()

    def show(self, share: float, line: str) -> None:
        assert 0.0 <= share <= 1.0
        self.shown.append(line)
        self.news.set()

    def say(self, line: str) -> None:
        self.said.append(line)
        self.news.set()


class Rebuild:
    """A rebuild whose model is keyed by `new.k`, with its tables; its daemon is played by the test."""

    def __init__(self, shop: Shop, dynamodb: Api, stores: Stores, directory: Path) -> None:
        store = {"dynamodb": {"table": shop.view}}
        view = {"name": "view", "projection": {"store": store, "key": {"id": "new.k"}}}
        settings = shop.settings(processors=[view])
        self.shop, self.dynamodb, self._stores, self.directory = shop, dynamodb, stores, directory
        self.plan: RebuildPlan = plan_rebuild(settings, "view", None, 0)
        self.controls = Controls(dynamodb, settings.application)
        self.ledger = f"{self.plan.into}-ledger"
        self.screen = Lines()
        self._log = open_log(BytesIO())
        self.supervisor = Supervisor(directory, grace_seconds=1.0, log=self._log)
        self.pod = Pod("shop", "pod-0", "0", directory, self.supervisor, started_at=0.0, waiting_for=None)
        self.follower = Follower(self.plan, self.screen, backfills=True)

    async def make(self) -> None:
        self._stopped = asyncio.create_task(self.supervisor.stopped())
        status_directory(self.directory).mkdir()
        for table in (self.shop.orders, self.plan.into):
            self.shop.make_table(table)
        await make_ledger(self.dynamodb, self.ledger, has_run=False)
        await create_tables(self.dynamodb, self.plan.application)
        for application in (self.plan.application, self.plan.live.application):
            await Positions(self.dynamodb, application).create()
        await Positions(self.dynamodb, self.plan.live.application).write_processors({"view": "old"}, None)

    def write(self, item: str, **values: str) -> None:
        attributes = {name: {"S": text} for name, text in {"id": item, **values}.items()}
        self.shop.aws.dynamodb.put_item(TableName=self.shop.orders, Item=attributes)

    def context(self, *, has_target: bool = True) -> ShardContext:
        source = TableFacts(name=self.shop.orders, region=REGION, partition_key="id", key_types={"id": "S"})
        target = source.model_copy(update={"name": self.plan.into, "ledger": self.ledger})
        return ShardContext(
            settings=self.plan.settings,
            worker_id="pod-0",
            region=REGION,
            endpoints=(Endpoint(service="dynamodb", region=REGION, url=""),),
            source_table=source,
            source_readable=True,
            targets={"view": target} if has_target else {},
            stream_retention_hours=24,
            first_start_at=0.0,
        )

    @asynccontextmanager
    async def followed(self, *, has_target: bool = True) -> AsyncIterator[Chore]:
        context = self.context(has_target=has_target)
        async with self.follower.beside(self.pod, context, self._stores, self._log) as look:
            yield look

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for it, looking whenever the screen has something new."""
        async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
            while not is_so():
                self.screen.news.clear()
                await self.screen.news.wait()

    async def is_told_to_end(self) -> bool:
        """Whether the daemon is to be stopped."""
        for _ in range(3):  # turns of the loop, in which whoever waits for it is woken
            await asyncio.sleep(0)
        return self._stopped.done()

    @property
    def scanned(self) -> str:
        return f"items of {self.shop.orders} scanned"


@pytest.fixture
async def rebuild(shop: Shop, dynamodb: Api, stores: Stores, tmp_path: Path) -> Rebuild:
    made = Rebuild(shop, dynamodb, stores, tmp_path)
    await made.make()
    return made


async def test_items_the_model_can_not_take_are_told_as_they_come_and_kept_over_a_restart(
    rebuild: Rebuild, shop: Shop, dynamodb: Api, stores: Stores, tmp_path: Path
) -> None:
    rebuild.write("good", k="1")
    rebuild.write("bad")

    async with rebuild.followed():
        await rebuild.until(lambda: any("could not be put" in line for line in rebuild.screen.shown))
        await rebuild.until(lambda: any(rebuild.scanned in line for line in rebuild.screen.said))

    told, scanned = sorted(rebuild.screen.said, key=lambda line: rebuild.scanned in line)
    why = "{'id': {'S': 'bad'}}: KeyIsNull: "
    assert told.startswith(f"an item can't be put into {rebuild.plan.into}: {why}")
    assert scanned == f"2 {rebuild.scanned}"
    assert rebuild.screen.shown[-1].endswith("; 1 could not be put into the model")

    again = Rebuild(shop, dynamodb, stores, tmp_path)
    async with again.followed():
        await again.until(lambda: any(again.scanned in line for line in again.screen.said))
    for each in (rebuild, again):
        assert each.follower.result.rejected == 1
        assert each.follower.result.first_rejected[0].startswith(why)
        assert each.follower.result.why_not is None


async def test_it_ends_once_its_model_is_cut_over_and_not_before(rebuild: Rebuild) -> None:
    async with rebuild.followed() as look:
        swapping = Control(phase="swapping", into=rebuild.plan.into)
        assert await rebuild.controls.change("view", NEVER, swapping)
        await look()
        assert not await rebuild.is_told_to_end()
        assert await rebuild.controls.finish("view", swapping, at=1, pointer=None)
        await look()
        assert await rebuild.is_told_to_end()

    assert rebuild.follower.result.is_cut_over
    assert rebuild.follower.result.why_not is None


async def test_it_ends_where_another_model_is_cut_over_to(rebuild: Rebuild) -> None:
    swapping = Control(phase="swapping", into="another")
    assert await rebuild.controls.change("view", NEVER, swapping)
    assert await rebuild.controls.finish("view", swapping, at=1, pointer=None)

    async with rebuild.followed() as look:
        await look()
        assert await rebuild.is_told_to_end()

    assert not rebuild.follower.result.is_cut_over
    assert rebuild.follower.result.why_not == "view was cut over to 'another' meanwhile"


async def test_a_scan_that_fails_ends_it_with_the_reason(rebuild: Rebuild) -> None:
    async with rebuild.followed(has_target=False):
        await rebuild.supervisor.stopped()

    assert str(rebuild.follower.result.why_not).startswith("the backfill failed: ")


async def test_it_is_said_once_that_it_has_caught_up_and_how_to_go_on(rebuild: Rebuild) -> None:
    def tell(lag: float) -> None:
        now = rebuild.pod.clock()
        status = ShardStatus("s-1", os.getpid(), "running", ticked_at=now, started_at=now, lag_seconds=lag)
        write_status(rebuild.directory, status)

    def shown(part: str) -> bool:
        return any(part in line for line in rebuild.screen.shown)

    tell(3_600.0)
    async with rebuild.followed():
        await rebuild.until(lambda: shown("0 s of 1 h"))
        await rebuild.until(lambda: any(rebuild.scanned in line for line in rebuild.screen.said))
        assert not any("caught up" in line for line in rebuild.screen.said)
        tell(1.0)
        await rebuild.until(lambda: sum("has caught up" in line for line in rebuild.screen.shown) > 1)

    (said,) = [line for line in rebuild.screen.said if "caught up" in line]
    assert said.endswith(f"tidemark cutover --processor view --into {rebuild.plan.into}")
