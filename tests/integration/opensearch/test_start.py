"""An OpenSearch target among an application's: looked at and made by what the settings say of its cluster."""

from collections.abc import AsyncIterator

import pytest

from consumer.aws.clients import open_clients
from consumer.errors import SettingsError
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.look import look_at_targets
from consumer.pod.targets.make import make_targets
from consumer.settings.context import IndexFacts, TableFacts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from tests.integration.opensearch.world import World
from tests.support.servers.opensearch import OpenSearchServer

SOURCE = TableFacts(name="orders", region="r", partition_key="id", key_types={"id": "S"})


def settings(world: World) -> Settings:
    store = {"opensearch": {"url_env": "SEARCH_URL", "index": world.alias}}
    return Settings.model_validate(
        {
            "application": "shop",
            "source": {"kinesis": {"stream": "changes", "table": "orders"}},
            "processors": [{"name": "view", "projection": {"store": store, "key": {"id": "keys.id"}}}],
        }
    )


@pytest.fixture
async def stores(opensearch: OpenSearchServer) -> AsyncIterator[Stores]:
    async with open_clients(lambda *_: "http://there") as clients:
        opened = Stores(clients, {"SEARCH_URL": opensearch.url})
        yield opened
        await opened.close()


async def test_an_index_is_made_of_what_was_looked_at(bare: World, stores: Stores) -> None:
    findings = Findings()
    targets = await look_at_targets(settings(bare), stores, "r", SOURCE, findings)
    assert (targets, findings) == ({"view": IndexFacts(index=bare.index, alias=bare.alias)}, Findings())
    await make_targets(settings(bare), stores, SOURCE, targets)
    assert list(await bare.catalog.find(bare.alias)) == [bare.index]


async def test_an_index_that_went_is_not_made_anew_for_an_application_that_has_run(
    bare: World, stores: Stores
) -> None:
    targets = {"view": IndexFacts(index=bare.index, alias=bare.alias)}
    with pytest.raises(SettingsError, match="the application has run"):
        await make_targets(settings(bare), stores, SOURCE, targets, has_run=True)


async def test_an_address_that_is_not_set_is_told_by_its_variable(bare: World) -> None:
    findings = Findings()
    async with open_clients(lambda *_: "http://there") as clients:
        await look_at_targets(settings(bare), Stores(clients, {}), "r", SOURCE, findings)
    (told,) = findings.problems
    assert told.startswith("processors.view.projection.store.opensearch.url_env: ")
    assert "SEARCH_URL is not set" in told
