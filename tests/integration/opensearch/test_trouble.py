"""A real OpenSearch that restarts, is away, has too much to do, or refuses one document of many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, STALE, Outcome
from tests.integration.opensearch.world import Json, World, reach
from tests.support.changes import put, remove
from tests.support.servers.busy import BusyProxy
from tests.support.servers.link import Link
from tests.support.servers.opensearch import OpenSearchServer

LONG: Json = {"properties": {"count": {"type": "long"}}}
STRICT: Json = {"dynamic": "strict", "properties": {"id": {"type": "keyword"}}}
COUNT = {"count": "new.count"}


@pytest.fixture
async def linked(opensearch: OpenSearchServer, index_prefix: str) -> AsyncIterator[tuple[World, Link]]:
    """A world that reaches OpenSearch by a link."""
    async with Link(opensearch.port) as link, reach(f"http://127.0.0.1:{link.port}") as cluster:
        world = World(cluster, f"{index_prefix}-view", 0.0)
        await world.make()
        yield world, link


async def test_one_document_that_does_not_fit_is_rejected_and_ninety_nine_are_written(bare: World) -> None:
    world = bare
    await world.make(mappings=LONG)
    changes = [put(f"item-{number}", 5, count=str(number)) for number in range(100)]
    changes[41] = put("item-41", 5, count="many")
    outcomes = await world.processor(fields=COUNT).process(changes)
    (at_fault,) = [outcome for outcome in outcomes if outcome != APPLIED]
    assert outcomes.index(at_fault) == 41
    assert isinstance(at_fault.error, Rejected)
    assert (at_fault.error.code, at_fault.error.by_store) == ("mapper_parsing_exception", True)
    assert "failed to parse field [count] of type [long]" in str(at_fault.error)
    assert 'For input string: "many"' in str(at_fault.error)
    assert len(await world.shown()) == 99


@pytest.mark.parametrize(
    ("mappings", "settings", "code"),
    [
        (
            {"dynamic": "strict", "properties": {"id": {"type": "keyword"}}},
            None,
            "strict_dynamic_mapping_exception",
        ),
        (None, {"index.mapping.total_fields.limit": 6}, "illegal_argument_exception"),
    ],
)
async def test_a_field_that_the_index_does_not_take_is_the_documents_fault(
    bare: World, mappings: Json | None, settings: Json | None, code: str
) -> None:
    await bare.make(mappings, settings)
    fields = {"count": "new.count", "more": "new.more"}
    (outcome,) = await bare.processor(fields=fields).process([put("a", 5, count="1", more="1")])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == (code, True)


async def test_what_was_deleted_stays_deleted_after_a_restart(
    world: World, opensearch: OpenSearchServer
) -> None:
    history = [put("a", 1, v="1"), remove("a", 2)]
    await world.processor().process(history)
    await asyncio.to_thread(opensearch.kill)
    await asyncio.to_thread(opensearch.start)
    assert await world.processor().process(history) == [STALE, STALE]
    assert await world.shown() == {}


async def test_while_the_server_is_away_everything_waits_and_then_goes_on(
    linked: tuple[World, Link],
) -> None:
    world, link = linked
    processor = world.processor()
    assert await processor.process([put("a", 1, v="1")]) == [APPLIED]
    link.cut()
    (outcome,) = await processor.process([put("a", 2, v="2")])
    assert isinstance(outcome.error, Unavailable)
    link.resume()
    assert await processor.process([put("a", 2, v="2")]) == [APPLIED]


async def test_a_write_whose_answer_was_lost_is_stale_when_it_is_tried_again(
    linked: tuple[World, Link],
) -> None:
    world, link = linked
    processor = world.processor()
    await processor.process([put("a", 1, v="1")])
    link.freeze()
    trying = asyncio.create_task(processor.process([put("a", 2, v="2")]))
    await asyncio.sleep(0.1)
    link.resume()
    await trying
    assert await processor.process([put("a", 2, v="2")]) == [STALE]


@pytest.mark.parametrize("refuses", ["requests", "documents"])
async def test_a_cluster_with_too_much_to_do_is_waited_for_document_by_document(
    world: World, opensearch: OpenSearchServer, refuses: str
) -> None:
    changes = [put(f"item-{number}", 5, v="1") for number in range(10)]
    async with BusyProxy(opensearch.url) as proxy, reach(f"http://127.0.0.1:{proxy.port}") as cluster:
        proxy.refuses = "requests" if refuses == "requests" else "documents"
        processor = world.processor(cluster=cluster)
        pending = list(changes)
        rounds = 0
        while pending:
            outcomes = await processor.process(pending)
            errors = [outcome.error for outcome in outcomes if outcome.error is not None]
            assert all(isinstance(error, Unavailable) for error in errors)
            assert {error.code for error in errors} <= {"opensearch_rejected_execution_exception"}
            pending = [record for record, end in zip(pending, outcomes, strict=True) if end.error is not None]
            rounds += 1
        assert (proxy.refused > 0, rounds > 1) == (True, True)
    assert len(await world.shown()) == 10


async def test_an_index_that_takes_no_writes_is_waited_for_with_what_to_do(world: World) -> None:
    await world.ask("PUT", f"/{world.index}/_settings", b'{"index.blocks.read_only_allow_delete":true}')
    (outcome,) = await world.processor().process([put("a", 5, v="1")])
    assert isinstance(outcome.error, Unavailable)
    assert (outcome.error.code, "make room" in str(outcome.error)) == ("cluster_block_exception", True)


async def test_an_index_that_is_closed_is_waited_for(world: World) -> None:
    await world.ask("POST", f"/{world.index}/_close")
    (outcome,) = await world.processor().process([put("a", 5, v="1")])
    assert isinstance(outcome.error, Unavailable)
    assert (outcome.error.code, "open it" in str(outcome.error)) == ("index_closed_exception", True)


class SmallServer(OpenSearchServer):
    """One that takes requests of 64 KiB at most."""

    def prepare(self) -> None:
        super().prepare()
        with (self.directory / "config" / "opensearch.yml").open("a", encoding="utf-8") as settings:
            settings.write("http.max_content_length: 64kb\n")


@pytest.mark.usefixtures("opensearch_server")  # it skips where there is no Maven
async def test_a_request_that_is_too_large_is_halved_until_the_document_at_fault_stands_alone() -> None:
    with SmallServer() as server:
        async with reach(server.url) as cluster:
            world = World(cluster, "small-view", 0.0)
            await world.make(mappings={"dynamic": False})
            changes = [put(f"item-{number}", 5, v="x" * 20_000) for number in range(8)]
            changes[3] = put("item-3", 5, v="x" * 100_000)
            outcomes: list[Outcome] = await world.processor().process(changes)
            assert [outcome == APPLIED for outcome in outcomes] == [number != 3 for number in range(8)]
            error = outcomes[3].error
            assert isinstance(error, Rejected)
            assert (error.code, error.by_store) == ("RequestTooLarge", False)
            assert len(await world.shown()) == 7


async def test_tombstones_that_have_lived_long_enough_are_purged_and_nothing_else(world: World) -> None:
    processor = world.processor()
    await processor.process([put("a", 1, v="1"), put("b", 1, v="1"), remove("b", 2)])
    world.now += 60.0
    await processor.process([put("c", 1, v="1"), remove("c", 2)])
    await world.ask("POST", f"/{world.index}/_refresh")
    assert await world.purge().purge() == 0
    world.now += 50.0
    assert await world.purge().purge() == 1
    assert set(await world.held()) == {"a", "c"}
    assert await processor.process([put("b", 3, v="again")]) == [APPLIED]
    assert set(await world.shown()) == {"a", "b"}


async def test_the_purge_begins_by_itself_once_it_is_due(world: World) -> None:
    processor = world.processor()
    await processor.process([put("b", 1, v="1"), remove("b", 2)])
    await world.ask("POST", f"/{world.index}/_refresh")
    world.now += 12 * 3600.0
    await processor.process([put("a", 1, v="1")])
    async with asyncio.timeout(20):
        while "b" in await world.held():  # noqa: ASYNC110 - OpenSearch tells nobody when it is done
            await asyncio.sleep(0.05)
    assert set(await world.held()) == {"a"}


async def test_a_change_right_after_its_tombstone_was_purged_waits_for_opensearch_to_forget_it(
    world: World,
) -> None:
    processor = world.processor()
    await processor.process([put("b", 1, v="1"), remove("b", 2)])
    await world.ask("POST", f"/{world.index}/_refresh")
    world.now += 200.0
    await world.purge().purge()
    (outcome,) = await processor.process([put("b", 1, v="1")])
    assert isinstance(outcome.error, Unavailable)
    assert (outcome.error.code, outcome.error.of_item) == ("RowWent", True)
