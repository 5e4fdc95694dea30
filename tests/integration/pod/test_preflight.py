from collections.abc import Mapping
from typing import Any, cast

import pytest

from checkpoint.api import Answer, Api
from consumer.aws import client as aws_client
from consumer.aws.clients import Clients
from consumer.errors import SettingsError, Unavailable
from consumer.pod.preflight import inspect
from consumer.settings.context import TableFacts
from consumer.stores.opened import Stores
from tests.integration.pod.conftest import REGION, Shop


class _DenyingClients:
    def __init__(self, clients: Clients, operation: str, table: str | None) -> None:
        self._clients = clients
        self._operation = operation
        self._table = table

    def client(self, service: str, region: str) -> Api:
        return _DenyingApi(self._clients.client(service, region), self._operation, self._table)


def denying(stores: Stores, operation: str, *, table: str | None = None) -> Stores:
    """AWS as somebody sees it whose policy forbids one operation, on one table or all."""
    return Stores(cast("Clients", _DenyingClients(stores.aws, operation, table)), {})


class _DenyingApi:
    def __init__(self, api: Api, operation: str, table: str | None) -> None:
        self._api = api
        self._operation = operation
        self._table = table

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == self._operation and self._table in (None, request.get("TableName")):
            if "AccessDeniedException" not in expect:
                raise Unavailable("not authorized", code="AccessDeniedException")
            return aws_client.Answer({}, "AccessDeniedException")
        return await self._api.call(operation, request, expect=expect)


async def problems(shop: Shop, stores: Stores, *names: str, **changes: Any) -> list[str]:  # noqa: ANN401 - what a YAML file may hold
    with pytest.raises(SettingsError) as caught:
        await inspect(shop.settings(*names, **changes), stores, REGION)
    return str(caught.value).splitlines()


async def test_what_a_shard_process_must_know_is_found_out(shop: Shop, stores: Stores) -> None:
    shop.make_all()

    found = await inspect(shop.settings(), stores, REGION)

    assert found.source_table == TableFacts(
        name=shop.orders, region=REGION, partition_key="id", key_types={"id": "S"}
    )
    view = found.targets["view"]
    assert isinstance(view, TableFacts)
    assert view.ttl_attribute == "expires_at"
    assert found.stream_retention_hours == 24
    assert found.source_readable
    assert found.warnings == ()


async def test_everything_that_is_not_there_is_told_at_once(shop: Shop, stores: Stores) -> None:
    found = await problems(shop, stores)

    assert [line.split(":")[0] for line in found] == [
        "source.kinesis.stream",
        "source.kinesis.table",
        "processors.view.projection.store",
    ]


async def test_a_table_that_sends_its_changes_elsewhere_is_refused_with_the_command(
    shop: Shop, stores: Stores
) -> None:
    shop.make_table(shop.orders)
    shop.make_table(shop.view)
    shop.aws.kinesis.create_stream(StreamName=shop.stream, ShardCount=1)

    (problem,) = await problems(shop, stores)

    assert f"does not send its changes to stream '{shop.stream}' (its destinations: none)" in problem
    assert f"enable-kinesis-streaming-destination --table-name {shop.orders}" in problem


async def test_milliseconds_are_warned_of_where_ties_can_be_settled(shop: Shop, stores: Stores) -> None:
    shop.make_source(precision="MILLISECOND")
    shop.make_table(shop.view)
    shop.enable_ttl(shop.view)

    (warning,) = (await inspect(shop.settings(), stores, REGION)).warnings

    assert "in milliseconds" in warning


async def test_milliseconds_are_refused_where_the_source_may_not_be_read(shop: Shop, stores: Stores) -> None:
    shop.make_source(precision="MILLISECOND")
    shop.make_table(shop.view)

    (problem,) = await problems(shop, denying(stores, "GetItem", table=shop.orders))

    assert "MICROSECOND" in problem
    assert "dynamodb:GetItem" in problem


async def test_a_source_that_may_not_be_read_is_fine_with_microseconds(shop: Shop, stores: Stores) -> None:
    shop.make_all()

    found = await inspect(shop.settings(), denying(stores, "GetItem", table=shop.orders), REGION)

    assert not found.source_readable


async def test_what_was_cut_over_must_be_readable(shop: Shop, stores: Stores) -> None:
    shop.make_all()

    (problem,) = await problems(shop, denying(stores, "GetItem", table=f"{shop.prefix}-positions"))

    assert f"{shop.prefix}-positions" in problem
    assert "dynamodb:GetItem" in problem


@pytest.mark.parametrize(
    "operation",
    ["DescribeTable", "DescribeTimeToLive", "DescribeKinesisStreamingDestination", "DescribeStreamSummary"],
)
async def test_a_missing_permission_is_named(shop: Shop, stores: Stores, operation: str) -> None:
    shop.make_all()

    found = await problems(shop, denying(stores, operation))

    assert all(f":{operation}" in problem for problem in found)


async def test_a_target_without_ttl_is_warned_of(shop: Shop, stores: Stores) -> None:
    shop.make_source()
    shop.make_table(shop.view)

    (warning,) = (await inspect(shop.settings(), stores, REGION)).warnings

    assert warning.startswith("processors.view.projection.store")
    assert "tombstones" in warning


async def test_a_projections_key_must_be_its_tables_key(shop: Shop, stores: Stores) -> None:
    shop.make_source()
    shop.make_table(shop.view, key="order_id")

    (problem,) = await problems(shop, stores)

    assert problem.startswith("processors.view.projection.key names `id`")
    assert "`order_id`" in problem


async def test_a_projections_key_must_be_of_the_source_keys_type(shop: Shop, stores: Stores) -> None:
    shop.make_source()
    shop.make_table(shop.view, kind="N")

    (problem,) = await problems(shop, stores)

    assert problem.startswith("processors.view.projection.key.id: `keys.id` is of type S")


async def test_a_table_is_no_target_of_its_own_changes(shop: Shop, stores: Stores) -> None:
    shop.make_source()
    projection = {"store": {"dynamodb": {"table": shop.orders}}, "key": {"id": "keys.id"}}

    (problem,) = await problems(shop, stores, processors=[{"name": "loop", "projection": projection}])

    assert "is the source itself" in problem


async def test_two_processors_may_not_share_a_table_for_each_would_undo_the_other(
    shop: Shop, stores: Stores
) -> None:
    shop.make_all()
    processors = [shop.processor("view"), {**shop.processor("view"), "name": "other"}]

    (problem,) = await problems(shop, stores, processors=processors)

    assert problem.startswith(
        f"processors.other: processor 'view' writes to table '{shop.view}' in {REGION} already"
    )


async def test_a_grace_too_short_for_kcl_is_warned_of(shop: Shop, stores: Stores) -> None:
    shop.make_all()

    settings = shop.settings(kcl={"shutdown_grace": "10s", "failover_time": "10s"})
    (warning,) = (await inspect(settings, stores, REGION)).warnings

    assert "kcl.shutdown_grace" in warning


def sums(table: str, name: str, **changes: Any) -> dict[str, object]:  # noqa: ANN401 - what a YAML file may hold
    store = {"dynamodb": {"table": table}}
    aggregate = {"store": store, "group_by": {"id": "keys.id"}, "add": {name: "`1`"}}
    return {"name": name, "aggregate": aggregate | changes}


async def test_two_aggregates_may_keep_different_sums_in_one_table_but_not_the_same(
    shop: Shop, stores: Stores
) -> None:
    shop.make_all()
    orders, same = sums(shop.view, "orders"), sums(shop.view, "again", add={"orders": "`1`"})

    found = await inspect(shop.settings(processors=[orders, sums(shop.view, "sales")]), stores, REGION)
    (problem,) = await problems(shop, stores, processors=[orders, same])

    assert set(found.targets) == {"orders", "sales"}
    assert problem.startswith("processors.again: processor 'orders' writes to")
