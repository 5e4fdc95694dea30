"""When tombstones are purged, and how many at a time."""

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from consumer.errors import Unavailable
from consumer.processors.projection.purge import INTERVAL_SECONDS, MOST_AT_ONCE, Purge
from consumer.stores.opensearch.cluster import JSON, Answer
from consumer.stores.opensearch.index import Index


class Cluster:
    """Deletes as many documents a request as it is told, and nothing when it is told no more."""

    def __init__(self, *deletes: int) -> None:
        self.queries: list[object] = []
        self._deletes = list(deletes)

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        content_type: str = JSON,
    ) -> Answer:
        assert query == {"conflicts": "proceed", "max_docs": str(MOST_AT_ONCE)}
        self.queries.append(msgspec.json.decode(body))
        if not self._deletes:
            raise Unavailable("not now", code="Http503")
        return Answer(200, {"deleted": self._deletes.pop(0)})


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def until_quiet() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_purge_is_due_within_half_an_interval_and_one_and_a_half(clock: Clock) -> None:
    for uniform in (0.0, 0.999):
        cluster = Cluster(0, 0)
        begun_at = clock.now
        purge = Purge(Index(cluster, "view"), clock=clock, uniform=lambda share=uniform: share)  # type: ignore[misc]  # bound in the loop
        for interval in (1, 2):
            clock.now = begun_at + interval * INTERVAL_SECONDS * (0.5 + uniform) - 1
            purge.begin_if_due()
            await until_quiet()
            assert len(cluster.queries) == interval - 1
            clock.now += 1
            purge.begin_if_due()
            purge.begin_if_due()
            await until_quiet()
            assert len(cluster.queries) == interval


async def test_a_purge_goes_on_until_there_is_no_more_and_asks_for_what_has_expired(clock: Clock) -> None:
    cluster = Cluster(MOST_AT_ONCE, MOST_AT_ONCE, 7)
    assert await Purge(Index(cluster, "view"), clock=clock, uniform=lambda: 0.5).purge() == 20_007
    filters = [{"term": {"_tidemark.gone": True}}, {"range": {"_tidemark.expires": {"lt": 1_000}}}]
    assert cluster.queries == [{"query": {"bool": {"filter": filters}}}] * 3


async def test_a_purge_that_can_not_be_done_now_is_done_the_next_time(clock: Clock) -> None:
    cluster = Cluster()
    purge = Purge(Index(cluster, "view"), clock=clock, uniform=lambda: 0.5)
    for times in (1, 2):
        clock.now += INTERVAL_SECONDS
        purge.begin_if_due()
        await until_quiet()
        assert len(cluster.queries) == times
