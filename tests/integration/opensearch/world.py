"""A source table in memory, a read model in a real OpenSearch, and processors between them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from consumer.processors.gated import GatedProcessor
from consumer.processors.projection.documents import Documents
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.projection.opensearch import IndexSink
from consumer.processors.projection.purge import Purge
from consumer.processors.source import SourceReader
from consumer.record import Image
from consumer.settings.clusters import read_address
from consumer.settings.context import TableFacts
from consumer.settings.model import Projection
from consumer.settings.stores import OpenSearchIndex, Store
from consumer.stores.opensearch.catalog import Catalog
from consumer.stores.opensearch.client import OpenSearch
from consumer.stores.opensearch.cluster import Cluster
from consumer.stores.opensearch.index import Index, write_alias
from consumer.stores.opensearch.layout import first_index, index_body
from tests.support.changes import TABLE
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

TOMBSTONE_SECONDS = 100.0

Json = dict[str, Any]
"""What OpenSearch said; a test says what it expects of it."""


class World:
    """One read model; `now` is what its processors' clocks say."""

    def __init__(self, cluster: Cluster, alias: str, now: float) -> None:
        self.cluster = cluster
        self.catalog = Catalog(cluster)
        self.alias = alias
        self.index = first_index(alias)
        self.source = Table("id")
        self.dynamodb = InMemoryDynamoDB({TABLE: self.source})
        self.now = now
        self.ties = 0

    async def make(
        self, mappings: dict[str, object] | None = None, settings: dict[str, object] | None = None
    ) -> None:
        """Make the index."""
        store = OpenSearchIndex(url="http://there", index=self.alias, mappings=mappings, settings=settings)
        await self.catalog.create(self.index, index_body(store, "tests/view", self.index))

    def processor(
        self,
        *,
        key: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
        when: str | None = None,
        for_each: str | None = None,
        cluster: Cluster | None = None,
        source_keys: tuple[str, ...] = ("id",),
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> GatedProcessor[Desired]:
        """A processor, as one shard process has it."""
        store = Store(opensearch=OpenSearchIndex(url="http://there", index=self.alias))
        settings = Projection(
            store=store, key=key or {"id": "keys.id"}, fields=fields, when=when, for_each=for_each
        )
        facts = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
        mapping = ProjectionMapping(settings, form="plain")
        index = Index(cluster or self.cluster, self.index)
        sink = IndexSink(
            index,
            Documents(mapping, source_keys, lambda: int(self.now + TOMBSTONE_SECONDS)),
            self.purge(),
            tombstone_seconds=TOMBSTONE_SECONDS,
            is_stopping=is_stopping,
        )
        return GatedProcessor(
            mapping, sink, SourceReader(self.dynamodb, facts, readable=True), on_tie=self._tie
        )

    def purge(self) -> Purge:
        """What deletes tombstones, where its clock says so."""
        return Purge(Index(self.cluster, self.index), clock=lambda: self.now, uniform=lambda: 0.5)

    def hold(self, item: Image) -> None:
        """Let the source hold an item."""
        self.source.put(item)

    async def ask(self, method: str, path: str, body: bytes = b"") -> Json:
        """OpenSearch's own answer."""
        answer = await self.cluster.call(method, path, body=body)
        assert answer.status == 200, answer
        assert isinstance(answer.body, dict)
        return answer.body

    async def shown(self) -> dict[str, Json]:
        """What readers find, by id, without our mark."""
        found = await self._search(self.alias)
        return {name: {key: source[key] for key in source if key != "_tidemark"} for name, source in found}

    async def held(self) -> dict[str, Json]:
        """Everything that the index holds, by id."""
        return dict(await self._search(write_alias(self.index)))

    async def _search(self, name: str) -> list[tuple[str, Json]]:
        await self.ask("POST", f"/{self.index}/_refresh")
        answer = await self.cluster.call("GET", f"/{name}/_search", {"size": "1000"})
        assert isinstance(answer.body, dict)
        return [(hit["_id"], hit["_source"]) for hit in answer.body["hits"]["hits"]]

    def _tie(self) -> None:
        self.ties += 1


@asynccontextmanager
async def reach(url: str) -> AsyncIterator[OpenSearch]:
    """A client of a server."""
    cluster = OpenSearch(read_address(url))
    try:
        yield cluster
    finally:
        await cluster.close()
