"""OpenSearch: the readers' alias leads to the new index, in one call.

OpenSearch's own pages used: Search, Scroll, Multi-get, Alias.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from checkpoint.tables import Pause
from consumer.commands.rebuild.indexes import as_form, index_of
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.errors import SettingsError
from consumer.settings.stores import OpenSearchIndex
from consumer.stores.opensearch.catalog import Catalog
from consumer.stores.opensearch.cluster import Cluster
from consumer.stores.opensearch.layout import READERS_FILTER, mappings

_PAGE = 1_000
_SHOWN = 10
_LOOKS = 5
_BETWEEN_LOOKS_SECONDS = 2.0
_KEPT = "2m"
"""How long the cluster keeps a scroll between two pages."""


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Page(msgspec.Struct):
    hits: _Hits
    scroll_id: str = msgspec.field(name="_scroll_id")


class _Got(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    found: bool = False


class _Multi(msgspec.Struct):
    docs: list[_Got]


class IndexSwitch:
    """From one index to another; both stay as they are."""

    pointer = None
    """Readers find the new one through their alias."""

    def __init__(
        self, cluster: Cluster, plan: RebuildPlan, store: OpenSearchIndex, pause: Pause = asyncio.sleep
    ) -> None:
        """`store`: the live processor's."""
        self._cluster = cluster
        self._catalog = Catalog(cluster)
        self._plan = plan
        self._store = store
        self._new = index_of(plan)
        self._pause = pause
        self._old: list[str] = []

    async def check(self) -> None:
        """See Switch."""
        if not await self._catalog.find(self._new):
            raise SettingsError(f"there is no index {self._new!r}: was it deleted?")
        self._old = [name for name in await self._catalog.find(self._store.index) if name != self._new]

    async def missing(self, show: Callable[[int], None]) -> list[str] | None:
        """See Switch; a tombstone in the new index is knowledge too."""
        if not await self._catalog.find(self._store.index):
            return None
        looked = 0
        missing: list[str] = []
        async for ids in self._ids():
            missing += await self._absent(ids)
            looked += len(ids)
            show(looked)
        for _ in range(_LOOKS):
            if not missing:
                break
            await self._pause(_BETWEEN_LOOKS_SECONDS)
            parts = (missing[at : at + _PAGE] for at in range(0, len(missing), _PAGE))
            missing = [absent for part in parts for absent in await self._absent(part)]
        return missing[:_SHOWN]

    async def swap(self) -> None:
        """See Switch."""
        owner = f"{self._plan.live.application}/{self._plan.name}"
        await self._catalog.add_fields(self._new, mappings(self._store, owner))
        await self._catalog.point(self._store.index, self._new)

    def leftovers(self) -> list[str]:
        """The old index."""
        return [f"index {name} in OpenSearch" for name in self._old]

    async def _ids(self) -> AsyncIterator[list[str]]:
        """Of the documents that readers see, page by page."""
        query = {"query": READERS_FILTER, "size": _PAGE, "_source": False, "sort": ["_doc"]}
        path = f"/{self._store.index}/_search"
        answer = await self._cluster.call("POST", path, {"scroll": _KEPT}, body=msgspec.json.encode(query))
        while (page := as_form(_Page, answer)).hits.hits:
            yield [hit.id for hit in page.hits.hits]
            more = {"scroll": _KEPT, "scroll_id": page.scroll_id}
            answer = await self._cluster.call("POST", "/_search/scroll", body=msgspec.json.encode(more))
        done = {"scroll_id": [page.scroll_id]}
        await self._cluster.call("DELETE", "/_search/scroll", body=msgspec.json.encode(done))

    async def _absent(self, ids: Sequence[str]) -> list[str]:
        answer = await self._cluster.call(
            "POST",
            f"/{self._new}/_mget",
            {"preference": "_primary", "_source": "false"},
            body=msgspec.json.encode({"ids": ids}),
        )
        return [got.id for got in as_form(_Multi, answer).docs if not got.found]
