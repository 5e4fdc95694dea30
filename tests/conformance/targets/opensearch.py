"""A real OpenSearch: an index made from the settings for each read model."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from itertools import count

import aiohttp

from consumer.attributes import RESERVED
from consumer.settings.context import TableFacts
from consumer.settings.context import Target as Facts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from tests.conformance.cases import Case
from tests.conformance.pace import Pace
from tests.conformance.targets.base import Standing
from tests.conformance.targets.dynamodb import SOURCE_REGION
from tests.conformance.targets.served import ADDRESS, Served, direct_stores, found_and_made, linked_stores
from tests.conformance.truth import ReadModel, shown
from tests.support.in_memory_dynamodb import Table
from tests.support.servers.opensearch import OpenSearchServer

_MOST = 1_000
"""Documents of a read model."""


class IndexStanding:
    """One index behind its alias."""

    def __init__(self, server: OpenSearchServer, case: Case, index: str) -> None:
        # By what comes first OpenSearch would guess types that what comes later does not fit.
        index_settings = {"url_env": ADDRESS, "index": index, "mappings": {"dynamic": False}}
        self.store: Mapping[str, object] = {"opensearch": index_settings}
        self._server = server
        self._case = case
        self._index = index

    async def make(self, settings: Settings, source: TableFacts) -> Facts:
        async with direct_stores(self._server.url) as stores:
            return await found_and_made(settings, stores, source, SOURCE_REGION)

    def stores(self, pace: Pace, source: Mapping[str, Table]) -> AbstractAsyncContextManager[Stores]:
        return linked_stores(self._server.port, "http://127.0.0.1:{port}", pace, source)

    async def rows(self) -> ReadModel:
        async with aiohttp.ClientSession(self._server.url) as session:
            await session.post(f"/{self._index}/_refresh")
            async with session.get(f"/{self._index}/_search?size={_MOST}") as answer:
                found = json.loads(await answer.text(), parse_float=Decimal, parse_int=Decimal)
        model: ReadModel = {}
        for hit in found["hits"]["hits"]:
            document = hit["_source"]
            fields = document.get("item", document)
            fields.pop(RESERVED, None)
            key = tuple(document[name] for name in self._case.key)
            assert key not in model, f"readers find two documents of {key}"
            model[key] = fields
        return shown(self._case, model)

    async def restart(self) -> None:
        await asyncio.to_thread(self._server.stop)
        await asyncio.to_thread(self._server.start)


class IndexTarget(Served):
    """One server for all."""

    mixes_clocks = False

    def __init__(self, server: OpenSearchServer) -> None:
        self._server = server
        self._numbers = count()

    @asynccontextmanager
    async def stand(self, case: Case) -> AsyncIterator[Standing]:
        index = f"conformance-{next(self._numbers)}"
        try:
            yield IndexStanding(self._server, case, index)
        finally:
            async with aiohttp.ClientSession(self._server.url) as session:
                await session.delete(f"/{index}-v1")
