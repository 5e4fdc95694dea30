"""A rebuild's table in DynamoDB: made like the live one, and nobody else's."""

import pytest

from checkpoint.api import Api
from checkpoint.positions import Positions
from checkpoint.rebuilds import Rebuilds
from consumer.commands.rebuild.plan import RebuildPlan, plan_rebuild
from consumer.commands.rebuild.tables import make_table
from consumer.errors import SettingsError
from tests.integration.pod.conftest import Shop


@pytest.fixture
async def rebuilds(dynamodb: Api, plan: RebuildPlan) -> Rebuilds:
    await Positions(dynamodb, plan.application).create()
    return Rebuilds(dynamodb, plan.application)


async def test_the_new_table_has_the_live_one_s_keys_indexes_and_ttl(
    dynamodb: Api, plan: RebuildPlan, shop: Shop, rebuilds: Rebuilds
) -> None:
    shop.aws.dynamodb.create_table(
        TableName=shop.view,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-time",
                "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    shop.enable_ttl(shop.view)

    await make_table(dynamodb, plan, shop.view, rebuilds)

    old, new = (shop.aws.dynamodb.describe_table(TableName=name)["Table"] for name in (shop.view, plan.into))
    assert new["KeySchema"] == old["KeySchema"]
    assert [index["IndexName"] for index in new["GlobalSecondaryIndexes"]] == ["by-time"]
    ttl = shop.aws.dynamodb.describe_time_to_live(TableName=plan.into)["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expires_at"


async def test_sums_that_stand_beside_what_others_keep_are_not_taken_away_from_it(
    dynamodb: Api, shop: Shop, rebuilds: Rebuilds
) -> None:
    store = {"dynamodb": {"table": shop.view}}
    sums = {"store": store, "group_by": {"id": "new.sku"}, "add": {"reserved": "new.quantity"}}
    plan = plan_rebuild(shop.settings(processors=[{"name": "view", "aggregate": sums}]), "view", None, 0)
    shop.make_table(shop.view)
    row = {"id": {"S": "a"}, "reserved": {"N": "1"}}
    shop.aws.dynamodb.put_item(TableName=shop.view, Item={**row, "on_hand": {"N": "5"}})

    with pytest.raises(SettingsError, match="`on_hand`, which this aggregate does not keep"):
        await make_table(dynamodb, plan, shop.view, rebuilds)

    shop.aws.dynamodb.put_item(TableName=shop.view, Item=row)
    await make_table(dynamodb, plan, shop.view, rebuilds)


async def test_a_rebuild_goes_on_in_its_own_table(
    dynamodb: Api, plan: RebuildPlan, shop: Shop, rebuilds: Rebuilds
) -> None:
    shop.make_table(shop.view)
    await make_table(dynamodb, plan, shop.view, rebuilds)
    shop.aws.dynamodb.put_item(TableName=plan.into, Item={"id": {"S": "a"}})

    await make_table(dynamodb, plan, shop.view, rebuilds)


async def test_a_table_with_rows_of_somebody_else_is_refused(
    dynamodb: Api, plan: RebuildPlan, shop: Shop, rebuilds: Rebuilds
) -> None:
    shop.make_table(plan.into)
    shop.aws.dynamodb.put_item(TableName=plan.into, Item={"id": {"S": "a"}})

    with pytest.raises(SettingsError, match="is not empty"):
        await make_table(dynamodb, plan, shop.view, rebuilds)


async def test_a_table_made_anew_lacks_what_the_rebuild_has_settled(
    dynamodb: Api, plan: RebuildPlan, shop: Shop, rebuilds: Rebuilds
) -> None:
    shop.make_table(plan.into)
    await make_table(dynamodb, plan, shop.view, rebuilds)
    await rebuilds.write_target("the table before")

    with pytest.raises(SettingsError, match="another one than this rebuild has begun on"):
        await make_table(dynamodb, plan, shop.view, rebuilds)


async def test_without_a_live_table_there_is_nothing_to_make_it_like(
    dynamodb: Api, plan: RebuildPlan, shop: Shop, rebuilds: Rebuilds
) -> None:
    with pytest.raises(SettingsError, match=f"create '{plan.into}' yourself"):
        await make_table(dynamodb, plan, shop.view, rebuilds)
