"""What becomes of an item, by what OpenSearch says of each of its documents."""

import pytest

from consumer.attributes import NO_IMAGE_DIGEST
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, SKIPPED, STALE
from consumer.processors.gate import Stamp
from consumer.processors.gated import Write, Written
from consumer.processors.projection.documents import Documents
from consumer.processors.projection.mapping import Desired, ProjectionMapping, Row
from consumer.processors.projection.opensearch import IndexSink
from consumer.processors.projection.purge import Purge
from consumer.record import Granularity, Version
from consumer.settings.model import Projection
from consumer.settings.stores import OpenSearchIndex, Store
from consumer.stores.opensearch.cluster import JSON, Answer, Cluster
from consumer.stores.opensearch.index import Index
from tests.support.in_memory_opensearch import InMemoryOpenSearch

TICK = Version(5_000, Granularity.MILLISECOND)
LATER = Version(6_000, Granularity.MILLISECOND)


class Bulks:
    """A cluster that holds nothing, and answers bulks with these statuses, document by document."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = statuses

    async def call(
        self, method: str, path: str, query: object = None, *, body: bytes = b"", content_type: str = JSON
    ) -> Answer:
        if path.endswith("_mget"):
            return Answer(200, {"docs": [{"found": False}]})
        error = {"type": "mapper_parsing_exception", "reason": "no"}
        return Answer(
            200, {"items": [{"index": {"status": status, "error": error}} for status in self._statuses]}
        )


def sink(cluster: Cluster) -> IndexSink:
    store = Store(opensearch=OpenSearchIndex(url="http://there", index="view"))
    settings = Projection(store=store, for_each="new.l", key={"l": "item"}, fields={"v": "new.v"})
    index = Index(cluster, "view")
    documents = Documents(ProjectionMapping(settings, form="plain"), ("id",), lambda: 1)
    purge = Purge(index, clock=lambda: 0.0, uniform=lambda: 0.5)
    return IndexSink(index, documents, purge, tombstone_seconds=1.0)


def write(version: Version, digest: str, *letters: str, over: Stamp | None = None) -> Write[Desired]:
    rows = tuple(Row({"l": {"S": letter}}, {"v": digest}) for letter in letters)
    return Write("x", version, Desired(digest, rows, ()), over)


async def written(statuses: tuple[int, ...]) -> Written:
    (answer,) = await sink(Bulks(*statuses)).write([write(Version(5), "a", *"abc"[: len(statuses)])])
    return answer


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((201, 400, 429), Unavailable),
        ((429, 400, 201), Unavailable),
        ((201, 201, 400), Rejected),
        ((400, 201, 201), Rejected),
    ],
)
async def test_an_item_waits_while_one_of_its_documents_does_and_is_at_fault_only_after_that(
    statuses: tuple[int, ...], kind: type[Exception]
) -> None:
    answer = await written(statuses)
    assert not isinstance(answer, Stamp)
    assert isinstance(answer.error, kind)


async def test_an_item_of_which_anything_was_written_is_applied() -> None:
    cluster = InMemoryOpenSearch()
    there = sink(cluster)
    assert await there.write([write(LATER, "b", "a")]) == [APPLIED]
    assert await there.write([write(TICK, "a", "a", "b")]) == [APPLIED]
    assert await there.write([write(TICK, "a", "a", "b")]) == [STALE]
    assert await there.write([write(TICK, NO_IMAGE_DIGEST)]) == [SKIPPED]


async def test_a_settled_tie_leaves_documents_of_newer_changes_as_they_are() -> None:
    cluster = InMemoryOpenSearch()
    there = sink(cluster)
    await there.write([write(LATER, "b", "a", "b")])
    held = cluster.documents.copy()
    assert await there.write([write(TICK, "a", "a", "b", over=Stamp(TICK, "c"))]) == [STALE]
    assert {name: cluster.documents[name] for name in held} == held


async def test_a_round_that_another_has_claimed_is_not_written_and_the_tie_told_anew() -> None:
    cluster = InMemoryOpenSearch()
    there = sink(cluster)
    tie = Stamp(TICK, "c")
    assert await there.write([write(TICK, "a", "a", over=tie)]) == [APPLIED]
    assert await there.write([write(TICK, "b", "a", "b", over=tie)]) == [Stamp(TICK, "a", 1)]
    assert {name for name in cluster.documents if name.endswith("|x")} == {"a|x"}
