"""One item, its source table, and an index of its documents with processors between them."""

from collections.abc import Mapping
from typing import cast

from consumer.attributes import RESERVED
from consumer.processors.base import Outcome
from consumer.processors.gated import GatedProcessor
from consumer.processors.projection.documents import Documents
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.projection.opensearch import IndexSink
from consumer.processors.projection.purge import Purge
from consumer.processors.source import SourceReader
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.settings.context import TableFacts
from consumer.settings.model import Projection
from consumer.settings.stores import OpenSearchIndex, Store
from consumer.shard.envelopes import decode
from consumer.stores.opensearch.index import Index
from tests.support.changes import TABLE, envelope, in_stream
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table
from tests.support.in_memory_opensearch import InMemoryOpenSearch, Kept, Pause

TICK = 1_700_000_000_000_000
KEYS = {"id": {"S": "x"}}
VALUE = {"v": "new.v"}
LETTERS: Mapping[str, object] = {"for_each": "new.letters", "key": {"letter": "item"}, "fields": VALUE}
MOVING: Mapping[str, object] = {"key": {"code": "new.v"}, "fields": VALUE}


def image_of(value: str | None) -> Image | None:
    if value is None:
        return None
    return {"id": {"S": "x"}, "v": {"S": value}, "letters": {"L": [{"S": letter} for letter in value]}}


def change(old: str | None, new: str | None, *, later: int = 0) -> ChangeRecord:
    """A change of the one item, in the one millisecond or so many later."""
    event: EventName = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    clock = Granularity.MILLISECOND
    data = envelope(
        event, KEYS, TICK + later * 1_000, new=image_of(new), old=image_of(old), granularity=clock
    )
    return decode(in_stream(data))


class World:
    """The source table, an index, and processors between them that may be stopped on the way."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.source = Table("id")
        self._documents: dict[str, Kept] = {}
        self._settings = settings
        self.calls: list[str] = []
        """What the last processor asked the index for."""
        self.away: set[str] = set()
        """Ids that none of its searches finds, for their shard is away."""

    def processor(self, halt: Pause | None = None) -> GatedProcessor[Desired]:
        cluster = InMemoryOpenSearch(self._documents, halt) if halt else InMemoryOpenSearch(self._documents)
        self.calls, self.away = cluster.calls, cluster.away
        index = Index(cluster, "view")
        store = Store(opensearch=OpenSearchIndex(url="http://there", index="view"))
        settings = Projection.model_validate({"store": store, **self._settings})
        mapping = ProjectionMapping(settings, form="plain")
        facts = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
        source = SourceReader(InMemoryDynamoDB({TABLE: self.source}), facts, readable=True)
        purge = Purge(index, clock=lambda: 0.0, uniform=lambda: 0.5)
        documents = Documents(mapping, ("id",), lambda: 1)
        sink = IndexSink(index, documents, purge, tombstone_seconds=1.0)
        return GatedProcessor(mapping, sink, source, on_tie=lambda: None)

    def commit(self, value: str) -> None:
        """Write the item in the source."""
        image = image_of(value)
        assert image is not None
        self.source.put(image)

    def shown(self) -> dict[str, object]:
        """What readers find: the value of each document, by the part of its id that is its own."""
        return {
            name.partition("|")[0]: kept.source["v"]
            for name, kept in self._documents.items()
            if not cast("Mapping[str, object]", kept.source[RESERVED]).get("gone")
        }


async def bring(processor: GatedProcessor[Desired], *changes: ChangeRecord) -> list[Outcome]:
    return [outcome for each in changes for outcome in await processor.process([each])]
