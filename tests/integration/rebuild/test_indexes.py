"""A rebuild's index in a real OpenSearch, and the readers' alias that goes over to it."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from checkpoint.api import Api
from checkpoint.positions import Positions
from checkpoint.rebuilds import Rebuilds
from consumer.commands.cutover.indexes import IndexSwitch
from consumer.commands.rebuild.indexes import make_new_index
from consumer.commands.rebuild.plan import plan_rebuild
from consumer.errors import SettingsError
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.indexes import IndexTarget, index_target, look_at_index, make_index
from consumer.settings.context import IndexFacts
from consumer.stores.opensearch.catalog import Catalog
from consumer.stores.opensearch.cluster import Cluster
from tests.integration.opensearch.world import reach
from tests.integration.pod.conftest import Shop
from tests.support.servers.opensearch import OpenSearchServer


async def no_pause(_seconds: float) -> None:
    """Tests do not wait."""


class Model:
    """A processor's alias, the index behind it, and its rebuild's."""

    def __init__(self, cluster: Cluster, alias: str, shop: Shop, dynamodb: Api) -> None:
        store = {"opensearch": {"url": "http://there", "index": alias}}
        projection = {"store": store, "key": {"id": "keys.id"}, "fields": {"total": "new.total"}}
        settings = shop.settings(processors=[{"name": "view", "projection": projection}])
        self.plan = plan_rebuild(settings, "view", None, 0)
        self.alias = alias
        self.cluster = cluster
        self.catalog = Catalog(cluster)
        self.positions = Positions(dynamodb, self.plan.application)
        self.rebuilds = Rebuilds(dynamodb, self.plan.application)
        self.live = _found(index_target(settings.application, self.plan.processor))
        self.new = _found(index_target(self.plan.application, self.plan.rebuilt))
        self.switch = IndexSwitch(cluster, self.plan, self.live.store, no_pause)

    async def make(self) -> None:
        await make_index(self.live, self.catalog, IndexFacts(index=f"{self.alias}-v1", alias=self.alias))
        await self.positions.create()
        await self.make_new()

    async def make_new(self) -> None:
        await make_new_index(self.cluster, self.plan, self.new, self.rebuilds)

    async def put(self, index: str, item: str, *, gone: bool = False) -> None:
        document = {"id": item, "_tidemark": {"gone": True} if gone else {}}
        body = json.dumps(document).encode()
        answer = await self.cluster.call("PUT", f"/{index}/_doc/{item}", {"refresh": "true"}, body=body)
        assert answer.status == 200, answer

    async def shown(self) -> set[str]:
        """What readers find."""
        answer = await self.cluster.call("GET", f"/{self.alias}/_search", {"size": "100"})
        assert isinstance(answer.body, dict)
        return {hit["_id"] for hit in answer.body["hits"]["hits"]}


def _found(found: IndexTarget | None) -> IndexTarget:
    assert found is not None
    return found


@pytest_asyncio.fixture
async def model(
    opensearch: OpenSearchServer, index_prefix: str, shop: Shop, dynamodb: Api
) -> AsyncIterator[Model]:
    async with reach(opensearch.url) as cluster:
        made = Model(cluster, f"{index_prefix}-view", shop, dynamodb)
        await made.make()
        yield made


async def test_readers_see_the_old_documents_until_the_swap_and_then_the_new_ones(
    model: Model,
) -> None:
    await model.put(f"{model.alias}-v1", "old")
    await model.put(f"{model.plan.into}-v1", "new")
    await model.put(f"{model.plan.into}-v1", "deleted", gone=True)
    before = await model.shown()

    await model.switch.check()
    await model.switch.swap()
    await model.switch.swap()

    assert (before, await model.shown()) == ({"old"}, {"new"})
    assert model.switch.leftovers() == [f"index {model.alias}-v1 in OpenSearch"]


async def test_the_live_processor_finds_the_new_index_behind_its_alias_and_takes_it_for_its_own(
    model: Model,
) -> None:
    await model.switch.swap()
    findings = Findings()

    facts = await look_at_index(model.live, model.catalog, findings)

    assert facts == IndexFacts(index=f"{model.plan.into}-v1", alias=model.alias)
    assert (findings.problems, findings.warnings) == ([], [])


async def test_documents_of_which_the_new_index_knows_nothing_are_missing(model: Model) -> None:
    old, new = f"{model.alias}-v1", f"{model.plan.into}-v1"
    for item in ("kept", "lost", "deleted-since"):
        await model.put(old, item)
    await model.put(old, "deleted-long-ago", gone=True)
    await model.put(new, "kept")
    await model.put(new, "deleted-since", gone=True)

    assert await model.switch.missing(lambda _: None) == ["lost"]


async def test_a_rebuild_goes_on_in_its_own_index_and_takes_nobody_else_s(model: Model) -> None:
    await model.put(f"{model.plan.into}-v1", "new")
    await model.make_new()

    await model.cluster.call("DELETE", f"/{model.plan.into}-v1")
    with pytest.raises(SettingsError, match="another one than this rebuild has begun on"):
        await model.make_new()
