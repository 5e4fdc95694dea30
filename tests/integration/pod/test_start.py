import io
import json

import pytest

from checkpoint.leases import read_leases
from checkpoint.positions import Positions
from consumer.errors import SettingsError
from consumer.log import open_log
from consumer.pod.preflight import inspect
from consumer.pod.start import prepare
from consumer.settings.context import ShardContext, TableFacts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.pod.conftest import REGION, Shop

FIRST = 1_700_000_000.0


class Starter:
    """Prepares starts of one application, at a clock of the test's own."""

    def __init__(self, sandbox: SandboxProcess, stores: Stores) -> None:
        self.stores = stores
        self.logged = io.BytesIO()
        self._endpoint = sandbox.endpoint

    async def prepare(self, settings: Settings, at: float = FIRST) -> ShardContext:
        return await prepare(
            settings,
            self.stores,
            worker_id="pod-0",
            region=REGION,
            endpoint_url=lambda _service, _region: self._endpoint,
            log=open_log(self.logged),
            clock=lambda: at,
        )

    async def checkpoint(self, application: str) -> None:
        """As KCL would, once the first record is settled."""
        dynamodb = self.stores.aws.client("dynamodb", REGION)
        for lease in await read_leases(dynamodb, application):
            await dynamodb.call(
                "UpdateItem",
                {
                    "TableName": application,
                    "Key": {"leaseKey": {"S": lease.lease_key}},
                    "UpdateExpression": "SET checkpoint = :at",
                    "ExpressionAttributeValues": {":at": {"S": "49600000000000000000000000000000000001"}},
                },
            )


@pytest.fixture
def starter(sandbox: SandboxProcess, stores: Stores) -> Starter:
    return Starter(sandbox, stores)


async def test_leases_are_there_before_the_daemon_and_the_context_says_where_everything_is(
    shop: Shop, starter: Starter
) -> None:
    shop.make_all()

    context = await starter.prepare(shop.settings())

    leases = await read_leases(starter.stores.aws.client("dynamodb", REGION), shop.prefix)
    assert [(lease.lease_key, lease.checkpoint) for lease in leases] == [
        ("shardId-000000000000", "TRIM_HORIZON")
    ]
    assert {entry.service for entry in context.endpoints} == {"kinesis", "dynamodb"}
    assert context.first_start_at == FIRST


async def test_the_time_of_the_first_start_stays(shop: Shop, starter: Starter) -> None:
    shop.make_all()
    await starter.prepare(shop.settings(), at=FIRST)

    assert (await starter.prepare(shop.settings(), at=FIRST + 3600)).first_start_at == FIRST


async def test_a_processor_new_to_a_running_application_is_refused_with_the_way_out(
    shop: Shop, starter: Starter
) -> None:
    shop.make_all()
    shop.make_table(f"{shop.prefix}-other")
    await starter.prepare(shop.settings("view"))
    await starter.checkpoint(shop.prefix)

    with pytest.raises(SettingsError, match=r"processors\.other is new.*start_here: true"):
        await starter.prepare(shop.settings("view", "other"))


async def test_a_processor_changed_on_a_running_application_is_refused(shop: Shop, starter: Starter) -> None:
    shop.make_all()
    await starter.prepare(shop.settings("view"))
    await starter.checkpoint(shop.prefix)
    projection = {
        "store": {"dynamodb": {"table": shop.view}},
        "key": {"id": "keys.id"},
        "fields": {"total": "new.total"},
    }

    with pytest.raises(SettingsError, match=r"processors\.view has changed settings"):
        await starter.prepare(shop.settings(processors=[{"name": "view", "projection": projection}]))


async def test_before_anything_is_settled_processors_may_change(shop: Shop, starter: Starter) -> None:
    shop.make_all()
    shop.make_table(f"{shop.prefix}-other")
    await starter.prepare(shop.settings("view"))
    await starter.prepare(shop.settings("view", "other"))

    known = await Positions(starter.stores.aws.client("dynamodb", REGION), shop.prefix).read_processors()
    assert known is not None
    assert set(known) == {"view", "other"}


async def test_start_here_lets_a_new_processor_in(shop: Shop, starter: Starter) -> None:
    shop.make_all()
    shop.make_table(f"{shop.prefix}-other")
    await starter.prepare(shop.settings("view"))
    await starter.checkpoint(shop.prefix)
    processors = [shop.processor("view"), {**shop.processor("other"), "start_here": True}]

    await starter.prepare(shop.settings(processors=processors))

    known = await Positions(starter.stores.aws.client("dynamodb", REGION), shop.prefix).read_processors()
    assert known is not None
    assert set(known) == {"view", "other"}


async def test_another_source_is_refused_once_something_is_settled_of_the_first(
    shop: Shop, starter: Starter
) -> None:
    shop.make_all()
    other = Shop(shop.aws, f"{shop.prefix}-2")
    other.make_source()
    elsewhere = {"kinesis": {"stream": other.stream, "table": other.orders}}

    await starter.prepare(shop.settings(source=elsewhere))
    await starter.prepare(shop.settings())
    await starter.checkpoint(shop.prefix)
    await starter.prepare(shop.settings())

    with pytest.raises(SettingsError, match=rf"has run on table '{shop.orders}' .*`application` of its own"):
        await starter.prepare(shop.settings(source=elsewhere))
    await starter.prepare(shop.settings())


async def test_an_application_that_ran_before_its_source_was_kept_goes_on(
    shop: Shop, starter: Starter
) -> None:
    shop.make_all()
    await starter.prepare(shop.settings())
    await starter.checkpoint(shop.prefix)
    shop.aws.dynamodb.delete_item(TableName=f"{shop.prefix}-positions", Key={"key": {"S": "source"}})

    await starter.prepare(shop.settings())

    positions = Positions(starter.stores.aws.client("dynamodb", REGION), shop.prefix)
    assert await positions.read_source() == (shop.stream, shop.orders)


async def test_a_ledger_is_made_with_its_ttl_and_taken_as_it_is_from_then_on(
    shop: Shop, starter: Starter
) -> None:
    shop.make_all()
    moving = {"store": {"dynamodb": {"table": shop.view}}, "key": {"id": "new.code"}}
    settings = shop.settings(processors=[{"name": "view", "projection": moving}])
    ledger = f"{shop.view}-ledger"

    for _ in range(2):
        context = await starter.prepare(settings)

        target = context.targets["view"]
        assert isinstance(target, TableFacts)
        assert target.ledger == ledger
        table = shop.aws.dynamodb.describe_table(TableName=ledger)["Table"]
        assert table["KeySchema"] == [{"AttributeName": "item", "KeyType": "HASH"}]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        ttl = shop.aws.dynamodb.describe_time_to_live(TableName=ledger)["TimeToLiveDescription"]
        assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


async def test_a_ledger_that_is_gone_is_not_made_anew_by_an_application_that_has_run(
    shop: Shop, starter: Starter
) -> None:
    """By an empty one all that was counted would be counted again."""
    shop.make_all()
    store = {"dynamodb": {"table": shop.view}}
    sums = {"store": store, "group_by": {"id": "new.day"}, "add": {"orders": "`1`"}}
    await starter.prepare(shop.settings(processors=[{"name": "sums", "aggregate": sums}]))
    await starter.checkpoint(shop.prefix)
    ledger = f"{shop.view}-sums-ledger"
    shop.aws.dynamodb.delete_table(TableName=ledger)

    with pytest.raises(SettingsError, match=rf"ledger table '{ledger}' is not there.*has run"):
        await starter.prepare(shop.settings(processors=[{"name": "sums", "aggregate": sums}]))
    with pytest.raises(shop.aws.dynamodb.exceptions.ResourceNotFoundException):
        shop.aws.dynamodb.describe_table(TableName=ledger)
    starting_here = {"name": "sums", "aggregate": sums, "start_here": True}
    await starter.prepare(shop.settings(processors=[starting_here]))
    assert shop.aws.dynamodb.describe_table(TableName=ledger)["Table"]["TableStatus"] == "ACTIVE"


async def test_a_look_at_the_settings_makes_no_ledger(shop: Shop, stores: Stores) -> None:
    shop.make_all()
    moving = {"store": {"dynamodb": {"table": shop.view}}, "key": {"id": "new.code"}}

    await inspect(shop.settings(processors=[{"name": "view", "projection": moving}]), stores, REGION)

    assert f"{shop.view}-ledger" not in shop.aws.dynamodb.list_tables()["TableNames"]


async def test_a_projection_by_the_items_own_keys_has_no_ledger(shop: Shop, starter: Starter) -> None:
    shop.make_all()
    context = await starter.prepare(shop.settings())
    target = context.targets["view"]
    assert isinstance(target, TableFacts)
    assert target.ledger is None
    assert f"{shop.view}-ledger" not in shop.aws.dynamodb.list_tables()["TableNames"]


async def test_a_table_that_stands_where_the_ledger_would_be_is_refused(shop: Shop, starter: Starter) -> None:
    shop.make_all()
    shop.make_table(f"{shop.view}-ledger")
    moving = {"store": {"dynamodb": {"table": shop.view}}, "key": {"id": "new.code"}}
    with pytest.raises(SettingsError, match="is no ledger"):
        await starter.prepare(shop.settings(processors=[{"name": "view", "projection": moving}]))


async def test_warnings_are_logged(shop: Shop, starter: Starter) -> None:
    shop.make_source()
    shop.make_table(shop.view)

    filtered = {**shop.processor("view"), "filters": [{"tableName": ["another"]}]}
    await starter.prepare(shop.settings(processors=[filtered]))

    lines = map(json.loads, starter.logged.getvalue().splitlines())
    of_the_filter, of_the_table = [line["event"] for line in lines if line["level"] == "warning"]
    assert of_the_filter.startswith("processors[0].filters[0]")
    assert "has no TTL" in of_the_table
