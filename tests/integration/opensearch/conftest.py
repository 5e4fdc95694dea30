from collections.abc import AsyncIterator

import pytest

from tests.integration.opensearch.world import World, reach
from tests.support.servers.opensearch import OpenSearchServer

NOW = 1_700_000_000.0


@pytest.fixture
async def bare(opensearch: OpenSearchServer, index_prefix: str) -> AsyncIterator[World]:
    """A world whose index is not made yet."""
    async with reach(opensearch.url) as cluster:
        yield World(cluster, f"{index_prefix}-view", NOW)


@pytest.fixture
async def world(bare: World) -> World:
    await bare.make()
    return bare
