"""A cluster that is not there, as a person reads of it, and what is no sign that it is back."""

from consumer.errors import Unavailable
from consumer.processors.base import SKIPPED
from tests.integration.opensearch.world import World, reach
from tests.support.changes import put
from tests.support.servers.server import free_port


async def test_a_cluster_that_is_not_there_is_told_by_its_address_and_the_reason() -> None:
    port = free_port(5_000, 9_200)
    async with reach(f"http://nobody:secret@127.0.0.1:{port}") as cluster:
        (outcome,) = await World(cluster, "view", 0.0).processor().process([put("a", 1)])
    assert isinstance(outcome.error, Unavailable)
    said = str(outcome.error)
    assert f"opensearch at http://127.0.0.1:{port} does not answer: Cannot connect to host" in said
    assert "ConnectionKey" not in said
    assert "secret" not in said


async def test_an_item_that_needs_no_document_says_nothing_of_the_cluster() -> None:
    async with reach(f"http://127.0.0.1:{free_port(5_000, 9_200)}") as cluster:
        processor = World(cluster, "view", 0.0).processor(
            key={"line": "item"}, fields={"id": "keys.id"}, for_each="new.lines"
        )
        assert await processor.process([put("a", 1)]) == [SKIPPED]
