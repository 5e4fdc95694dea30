import pytest
from checkpoint.api import Api
from consumer.aws.clients import Clients
from consumer.commands.cutover.sql import SqlSwitch
from consumer.commands.rebuild.plan import plan_rebuild
from consumer.commands.rebuild.sql import make_sql_table
from consumer.pod.targets.postgresql import SqlTarget
from consumer.errors import SettingsError
from checkpoint.positions import Positions
from checkpoint.rebuilds import Rebuilds
from tests.integration.pod.conftest import Shop
from tests.integration.rebuild.test_sql import Model, SOURCE, no_pause, model
from tests.support.sql_model import SqlModel, kinds
from tests.support.changes import put


async def test_second_rebuild(model: Model, database: str, shop: Shop, dynamodb: Api, clients: Clients) -> None:
    await model.make_live()
    await model.make_new()
    await model.switch.swap()
    model.run("DROP TABLE orders_before, orders_before_tidemark")
    plan = plan_rebuild(model.plan.live, "view", None, 1)
    positions = Positions(dynamodb, plan.application)
    await positions.create()
    target = SqlTarget(plan.rebuilt, model.store.model_copy(update={"table": plan.into}), SOURCE, plan.application)
    await make_sql_table(model.database, plan, model.store, target, Rebuilds(dynamodb, plan.application))


async def test_restart_between_rename_and_finish(model: Model) -> None:
    await model.make_live()
    model.put("orders", "a")
    await model.make_new()
    model.put("orders_rebuild", "a")
    await model.switch.swap()
    # the pod's settings are the old ones still: e.g. without `total`
    old = model.plan.processor.model_copy(update={"projection": model.plan.processor.projection.model_copy(update={"when": "new.total"})})
    await SqlTarget(old, model.store, SOURCE, model.plan.live.application).make(model.database, has_run=True)


async def test_table_dropped(database: str) -> None:
    model = SqlModel(database)
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"), put("b", 5, v="1"))
    model.query("DROP TABLE view")
    await model.make(has_run=True)
    async with model.open() as processor:
        print(await kinds(processor, put("a", 6, v="1")))
    assert len(model.query("SELECT id FROM view")) == 2
