"""The source table read into the new model: every item once, below every change, across a stop."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import pytest

from checkpoint.api import Api
from checkpoint.positions import Positions
from checkpoint.rebuilds import Backfill, Rebuilds
from consumer.commands.rebuild.backfill import Scan, as_change
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.patience import Patience
from consumer.errors import Rejected
from consumer.processors.base import Outcome, Processor, ProcessorTools, failed
from consumer.processors.build import build_processor
from consumer.record import ChangeRecord
from consumer.settings.context import Endpoint, ShardContext, TableFacts
from consumer.stores.opened import Stores
from tests.integration.pod.conftest import REGION, Shop
from tests.support.changes import put, remove

DAY = 86_400


@pytest.fixture
async def rebuilds(dynamodb: Api, plan: RebuildPlan) -> Rebuilds:
    await Positions(dynamodb, plan.application).create()
    return Rebuilds(dynamodb, plan.application)


class World:
    """The source with items, the new model, and the processor between them."""

    def __init__(
        self, shop: Shop, plan: RebuildPlan, dynamodb: Api, stores: Stores, rebuilds: Rebuilds
    ) -> None:
        shop.make_table(shop.orders)
        shop.make_table(plan.into)
        self.shop, self.plan, self._dynamodb, self._rebuilds = shop, plan, dynamodb, rebuilds
        self.source = TableFacts(name=shop.orders, region=REGION, partition_key="id", key_types={"id": "S"})
        endpoint = Endpoint(service="dynamodb", region=REGION, url="")
        context = ShardContext(
            settings=plan.settings,
            worker_id="pod-0",
            region=REGION,
            endpoints=(endpoint,),
            source_table=self.source,
            source_readable=True,
            targets={"view": self.source.model_copy(update={"name": plan.into})},
            stream_retention_hours=24,
            first_start_at=0.0,
        )
        tools = ProcessorTools(clock=time.time, uniform=random.random)
        self.processor: Processor = build_processor(plan.rebuilt, context, stores, tools)
        self.stop = asyncio.Event()

    def write(self, item: str, **values: str) -> None:
        attributes = {name: {"S": text} for name, text in {"id": item, **values}.items()}
        self.shop.aws.dynamodb.put_item(TableName=self.shop.orders, Item=attributes)

    def rows(self) -> dict[str, str | None]:
        """The `v` of each row that readers see."""
        found = self.shop.aws.dynamodb.scan(TableName=self.plan.into)["Items"]
        return {
            row["id"]["S"]: row.get("v", {}).get("S")
            for row in found
            if row["_tidemark"]["M"]["d"]["S"] != "-"
        }

    async def scan(
        self, processor: Processor | None = None, *, is_too_old: Callable[[Backfill], bool] = lambda _: False
    ) -> Scan:
        patience = Patience(self.stop, random.random, lambda _: None)
        target = Target("view", processor or self.processor, keeps_state=True)
        scan = Scan(self._dynamodb, self.source, target, self._rebuilds, patience, time.time, page_items=3)
        await scan.run(is_too_old=is_too_old)
        return scan


@pytest.fixture
def world(shop: Shop, plan: RebuildPlan, dynamodb: Api, stores: Stores, rebuilds: Rebuilds) -> World:
    return World(shop, plan, dynamodb, stores, rebuilds)


class Interrupted:
    """A processor in whose work somebody says stop, after so many items."""

    def __init__(self, world: World, after: int) -> None:
        self._world = world
        self._after = after
        self.seen: list[str] = []
        self.tombstones_last = None

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        self.seen += [record.item for record in records]
        if len(self.seen) >= self._after:
            self._world.stop.set()
        return await self._world.processor.process(records)

    async def settle_by_source(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        raise AssertionError(records)


class Refusing(Interrupted):
    """A processor that can't take some items."""

    def __init__(self, world: World, after: int, why: str = "not this one") -> None:
        super().__init__(world, after)
        self._why = why

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        outcomes = await super().process(records)
        return [
            failed(Rejected(self._why, code="KeyIsNull")) if record.item.startswith("bad") else outcome
            for record, outcome in zip(records, outcomes, strict=True)
        ]


class RefusingOnce(Interrupted):
    """A processor whose store rejects each item the first time, as if another write were in its way."""

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        new = [record for record in records if record.item not in self.seen]
        self.seen += [record.item for record in new]
        if not new:
            return await self._world.processor.process(records)
        return [failed(Rejected("not now", code="illegal_argument_exception", by_store=True))] * len(records)


async def test_every_item_is_in_the_model(world: World) -> None:
    for number in range(40):
        world.write(f"item-{number}", v=str(number))

    scan = await world.scan()

    assert world.rows() == {f"item-{number}": str(number) for number in range(40)}
    assert (scan.tally.items, scan.tally.is_done) == (40, True)


async def test_the_stream_is_newer_than_the_scan_whichever_comes_first(world: World) -> None:
    for item in ("changed-before", "deleted-before", "changed-after", "deleted-after"):
        world.write(item, v="scanned")
    before = [put("changed-before", 5, v="new"), remove("deleted-before", 5)]
    after = [put("changed-after", 5, v="new"), remove("deleted-after", 5)]

    await world.processor.process(before)
    await world.scan()
    await world.processor.process(after)

    assert world.rows() == {"changed-before": "new", "changed-after": "new"}


async def test_a_second_scan_settles_what_has_changed_between_them_by_the_source(world: World) -> None:
    world.write("a", v="1")
    await world.processor.process([as_change(world.source, {"id": {"S": "a"}, "v": {"S": "0"}})])

    await world.scan()

    assert world.rows() == {"a": "1"}


async def test_a_scan_that_is_stopped_goes_on_where_it_was(world: World) -> None:
    for number in range(40):
        world.write(f"item-{number}")
    first = Interrupted(world, after=1)
    stopped = await world.scan(first)
    assert not stopped.tally.is_done
    world.stop.clear()
    second = Interrupted(world, after=1_000)

    scan = await world.scan(second)

    assert len(world.rows()) == 40
    assert scan.tally.items == 40
    assert not set(first.seen) & set(second.seen)


async def test_a_scan_that_is_too_old_begins_anew(world: World) -> None:
    world.write("a", v="1")
    await world.scan()
    world.write("b", v="2")
    assert world.rows() == {"a": "1"}

    await world.scan(is_too_old=lambda backfill: backfill.is_done)

    assert world.rows() == {"a": "1", "b": "2"}


async def test_items_the_model_can_not_take_are_counted_and_told(world: World) -> None:
    for item in ("good", "bad-1", "bad-2"):
        world.write(item)

    scan = await world.scan(Refusing(world, 1_000))
    again = await world.scan(Refusing(world, 1_000))

    assert (scan.tally.items, scan.tally.rejected) == (3, 2)
    assert min(scan.tally.first) == "{'id': {'S': 'bad-1'}}: KeyIsNull: not this one"
    assert (again.tally.items, again.tally.rejected) == (3, 2), "what a scan before this one found is kept"
    assert sorted(again.tally.first) == sorted(scan.tally.first), "and so is what it was"


async def test_the_first_ten_items_are_told_at_some_length_and_the_rest_are_counted(world: World) -> None:
    for number in range(25):
        world.write(f"bad-{number}")

    scan = await world.scan(Refusing(world, 1_000, why="x" * 5_000))
    again = await world.scan(Refusing(world, 1_000))

    assert (scan.tally.rejected, len(scan.tally.first)) == (25, 10)
    assert {len(line) for line in scan.tally.first} == {1_000}
    assert (again.tally.rejected, len(again.tally.first)) == (25, 10)


async def test_what_is_wrong_with_items_is_kept_over_a_stop_in_their_midst(world: World) -> None:
    for number in range(40):
        world.write(f"bad-{number}")
    stopped = await world.scan(Refusing(world, after=1))
    assert not stopped.tally.is_done
    world.stop.clear()

    scan = await world.scan(Refusing(world, after=1_000))

    assert scan.tally.rejected == 40
    assert set(stopped.tally.first) & set(scan.tally.first), "those are not scanned again"


async def test_what_a_store_rejects_is_tried_again_before_it_counts(world: World) -> None:
    for item in ("a", "b", "c"):
        world.write(item, v="1")

    scan = await world.scan(RefusingOnce(world, 0))

    assert (scan.tally.items, scan.tally.rejected, scan.tally.first) == (3, 0, [])
    assert world.rows() == {"a": "1", "b": "1", "c": "1"}
