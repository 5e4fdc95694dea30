"""A rebuild's table in a real PostgreSQL, and the swap of the two: all at once, and once only."""

import asyncio
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from checkpoint.api import Api
from checkpoint.control import Controls
from checkpoint.positions import Positions
from checkpoint.rebuilds import Rebuilds
from consumer.aws.clients import Clients
from consumer.commands.cutover.run import Cutover, RefusedError
from consumer.commands.cutover.sql import SqlSwitch
from consumer.commands.rebuild.plan import RebuildPlan, plan_rebuild
from consumer.commands.rebuild.sql import make_sql_table
from consumer.errors import SettingsError
from consumer.pod.targets.postgresql import SqlTarget
from consumer.settings.context import TableFacts
from consumer.stores.opened import Stores
from tests.integration.conftest import Aws
from tests.integration.pod.conftest import REGION, Shop
from tests.integration.rebuild.conftest import Played
from tests.integration.rebuild.test_cutover import KilledError, Stage, Stream

SOURCE = TableFacts(name="orders", region=REGION, partition_key="id", key_types={"id": "S"})


async def no_pause(_seconds: float) -> None:
    """Tests do not wait."""


class Model:
    """A processor's table `orders` in PostgreSQL, and its rebuild."""

    def __init__(self, url: str, shop: Shop, dynamodb: Api, clients: Clients, *, generation: int = 0) -> None:
        store = {"postgresql": {"url": url, "table": "orders", "create": True, "types": {"total": "numeric"}}}
        projection = {"store": store, "key": {"id": "keys.id"}, "fields": {"total": "new.total"}}
        settings = shop.settings(processors=[{"name": "view", "projection": projection}])
        self.plan: RebuildPlan = plan_rebuild(settings, "view", None, generation)
        self.stores = Stores(clients, {})
        store_settings = self.plan.processor.store.postgresql
        assert store_settings is not None
        self.store = store_settings
        self.database = self.stores.postgresql(store_settings)
        self.rebuilds = Rebuilds(dynamodb, self.plan.application)
        self.positions = Positions(dynamodb, self.plan.application)
        self._url = url

    async def make_live(self) -> None:
        await self._target(self.plan.live.application).make(self.database, has_run=False)

    async def make_new(self, *, creates: bool = True) -> None:
        await self.positions.create()
        store = self.store.model_copy(update={"create": creates})
        target = self._target(self.plan.application, "orders_rebuild")
        await make_sql_table(self.database, self.plan, store, target, self.rebuilds)
        identity = await self.rebuilds.read_target()
        self.switch = SqlSwitch(self.database, self.plan, "orders", identity or "", no_pause)

    def _target(self, application: str, table: str = "orders") -> SqlTarget:
        processor = self.plan.processor if table == "orders" else self.plan.rebuilt
        return SqlTarget(processor, self.store.model_copy(update={"table": table}), SOURCE, application)

    def put(self, table: str, item: str, *, holds: str = '{"k": "d"}') -> None:
        """A row, and the entry of its item."""
        row = sql.SQL("INSERT INTO {} VALUES (%s, 1, %s)").format(sql.Identifier(table))
        entry = sql.SQL("INSERT INTO {} VALUES (%s, 1, 'us', 'd', 1, %s::jsonb, NULL)")
        self.run(row, item, item)
        self.run(entry.format(sql.Identifier(f"{table}_tidemark")), item, holds)

    def run(self, text: LiteralString | sql.Composed, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def ids(self, table: str) -> set[object]:
        return {row[0] for row in self.run(sql.SQL("SELECT id FROM {}").format(sql.Identifier(table)))}


@pytest.fixture
def model(database: str, shop: Shop, dynamodb: Api, clients: Clients) -> Model:
    return Model(database, shop, dynamodb, clients)


async def test_readers_find_the_new_rows_under_the_old_name_and_the_old_ones_are_kept(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.put("orders", "old")
    model.put("orders_rebuild", "new")

    await model.switch.check()
    await model.switch.swap()

    assert model.ids("orders") == {"new"}
    assert model.ids("orders_before") == {"old"}
    await model.make_live()  # the live processor's ledger is its own, with entries in it


async def test_what_was_cut_over_can_be_built_anew_once_more(
    model: Model, shop: Shop, database: str, dynamodb: Api, clients: Clients
) -> None:
    await model.make_live()
    await model.make_new()
    await model.switch.swap()
    model.run("DROP TABLE orders_before, orders_before_tidemark")

    second = Model(database, shop, dynamodb, clients, generation=1)
    await second.make_new()
    second.put("orders_rebuild", "newer")
    await second.switch.check()
    await second.switch.swap()

    assert second.ids("orders") == {"newer"}


async def test_a_swap_whose_answer_was_lost_is_done_once(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.put("orders_rebuild", "new")

    await model.switch.swap()
    await model.switch.swap()

    assert model.ids("orders") == {"new"}


async def test_who_was_allowed_to_read_the_old_table_may_read_the_new_one(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.run("DO $$ BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    model.run("GRANT SELECT ON orders TO reader")

    await model.switch.swap()

    assert model.run("SELECT has_table_privilege('reader', 'orders', 'SELECT')") == [(True,)]
    assert model.run("SELECT has_table_privilege('reader', 'orders', 'DELETE')") == [(False,)]


async def test_a_new_table_is_like_the_live_one_where_the_settings_do_not_make_it(model: Model) -> None:
    await model.make_live()
    model.run("CREATE INDEX ON orders (total)")
    await model.make_new(creates=False)
    indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'orders_rebuild'"
    assert model.run(indexes) == [(2,)]


async def test_a_rebuild_goes_on_in_its_own_table_and_takes_nobody_else_s(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.put("orders_rebuild", "new")
    await model.make_new()

    model.run("DROP TABLE orders_rebuild, orders_rebuild_tidemark")
    with pytest.raises(SettingsError, match="another one than this rebuild has begun on"):
        await model.make_new()


async def test_items_of_which_the_new_ledger_knows_nothing_are_missing(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    for item in ("kept", "lost", "deleted-since"):
        model.put("orders", item)
    model.put("orders_rebuild", "kept")
    model.put("orders_rebuild", "deleted-since", holds="{}")

    looked: list[int] = []

    assert await model.switch.missing(looked.append) == ["lost"]
    assert looked == [3]


async def test_what_has_the_old_table_s_name_to_be_is_in_the_way(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.run("CREATE TABLE orders_before ()")
    with pytest.raises(SettingsError, match="orders_before"):
        await model.switch.check()


async def test_a_view_that_would_go_on_reading_the_old_table_is_in_the_way(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.run("CREATE VIEW totals AS SELECT sum(total) FROM orders")
    with pytest.raises(SettingsError, match="totals"):
        await model.switch.check()


async def test_where_the_new_table_was_dropped_nothing_is_done(model: Model) -> None:
    await model.make_live()
    await model.make_new()
    model.put("orders", "old")
    model.run("DROP TABLE orders_rebuild")
    with pytest.raises(SettingsError, match="is not there"):
        await model.switch.swap()
    assert model.ids("orders") == {"old"}


@pytest.mark.parametrize("step", ["stop", "reached", "swapping", "swapped"])
async def test_a_cut_over_that_is_killed_around_the_swap_is_run_again_and_goes_on(
    model: Model, aws: Aws, dynamodb: Api, step: str
) -> None:
    live, rebuilt = (Played(aws, dynamodb, of) for of in (model.plan.live, model.plan.settings))
    await live.make()
    await rebuilt.make()
    await rebuilt.settled(5)
    await live.settled(5)
    await model.make_live()
    await model.make_new()
    model.put("orders_rebuild", "new")
    obeying = asyncio.create_task(live.obey(5))

    with pytest.raises(KilledError):
        await run_cutover(dynamodb, model, Stage(dies_after=step))
    await obeying
    await run_cutover(dynamodb, model, Stage())

    assert model.ids("orders") == {"new"}
    control = (await Controls(dynamodb, model.plan.live.application).read())["view"]
    assert (control.phase, control.generation) == ("live", 1)


async def test_a_swap_that_can_not_be_done_is_taken_back(model: Model, aws: Aws, dynamodb: Api) -> None:
    live, rebuilt = (Played(aws, dynamodb, of) for of in (model.plan.live, model.plan.settings))
    await live.make()
    await rebuilt.make()
    await rebuilt.settled(5)
    await model.make_live()
    await model.make_new()
    obeying = asyncio.create_task(live.obey(5))
    with pytest.raises(KilledError):
        await run_cutover(dynamodb, model, Stage(dies_after="swapping"))
    await obeying
    model.run("DROP TABLE orders_rebuild")

    with pytest.raises(RefusedError, match="goes on as before"):
        await run_cutover(dynamodb, model, Stage())

    control = (await Controls(dynamodb, model.plan.live.application).read())["view"]
    assert (control.phase, control.generation) == ("live", 0)


async def run_cutover(dynamodb: Api, model: Model, stage: Stage) -> None:
    cutover = Cutover(dynamodb, Stream("1"), model.plan, model.switch, stage.tools, allows_missing=True)
    await cutover.run()
