"""The projection from change to row, on an in-memory DynamoDB."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from consumer.attributes import RESERVED, digest
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, SKIPPED, STALE, Outcome
from consumer.processors.gate import stamp_from_attribute
from consumer.processors.gated import GatedProcessor
from consumer.processors.projection.dynamodb import CONNECTIONS, RowSink
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.source import DynamoDB, SourceReader
from consumer.record import Granularity, Image
from consumer.settings.context import TableFacts
from consumer.settings.model import Projection
from consumer.settings.stores import DynamoDBTable, Store
from tests.support.changes import TABLE, put, remove
from tests.support.in_memory_dynamodb import Answer, InMemoryDynamoDB, Table

MS, S = Granularity.MILLISECOND, Granularity.SECOND
NOW = 1_700_000_000.9
TOMBSTONE_SECONDS = 100.0
DAY = 86_400


class Away:
    """A DynamoDB that can't take one operation, however often."""

    def __init__(self, real: InMemoryDynamoDB, operation: str) -> None:
        self._real = real
        self._operation = operation

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == self._operation:
            raise Unavailable("throttled", code="ThrottlingException")
        return await self._real.call(operation, request, expect=expect)


class World:
    """A source table, a read model, and processors between them."""

    def __init__(self) -> None:
        self.source = Table("id")
        self.view = Table("id")
        self.dynamodb = InMemoryDynamoDB({TABLE: self.source, "view": self.view})
        self.ties = 0

    def processor(
        self,
        *,
        client: DynamoDB | None = None,
        adopt: bool = False,
        readable: bool = True,
        ttl_attribute: str | None = None,
        when: str | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
        tombstone_seconds: float = TOMBSTONE_SECONDS,
    ) -> GatedProcessor[Desired]:
        store = Store(dynamodb=DynamoDBTable(table="view"))
        facts = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
        view = facts.model_copy(update={"name": "view", "ttl_attribute": ttl_attribute})
        dynamodb = client or self.dynamodb
        return GatedProcessor(
            ProjectionMapping(Projection(store=store, key={"id": "keys.id"}, when=when)),
            RowSink(
                dynamodb,
                view,
                adopt=adopt,
                tombstone_seconds=tombstone_seconds,
                clock=lambda: NOW,
                is_stopping=is_stopping,
            ),
            SourceReader(dynamodb, facts, readable=readable),
            on_tie=self._count_tie,
        )

    def _count_tie(self) -> None:
        self.ties += 1


@pytest.fixture
def world() -> World:
    return World()


def item(value: str) -> Image:
    return {"id": {"S": "a"}, "v": {"S": value}}


def shown(row: Image | None) -> Image | None:
    """A row without our mark."""
    return None if row is None else {name: value for name, value in row.items() if name != RESERVED}


async def test_a_change_is_one_conditional_write_and_its_duplicate_is_stale(world: World) -> None:
    processor = world.processor()
    assert await processor.process([put("a", 5, v="1")]) == [APPLIED]
    assert world.dynamodb.calls == ["PutItem"]
    assert await processor.process([put("a", 5, v="1")]) == [STALE]
    assert shown(world.view.row(id="a")) == item("1")


async def test_the_row_carries_its_version_its_clock_and_its_sources_digest(world: World) -> None:
    await world.processor().process([put("a", 5_000, v="1", granularity=MS)])
    row = world.view.row(id="a")
    assert row is not None
    assert row[RESERVED] == {"M": {"v": {"N": "5000"}, "p": {"S": "ms"}, "d": {"S": digest(item("1"))}}}


async def test_a_late_change_is_stale_and_a_late_insert_does_not_bring_back_what_was_deleted(
    world: World,
) -> None:
    outcomes = await world.processor().process(
        [put("a", 5, v="2"), put("a", 4, v="1"), remove("a", 6), put("a", 5, v="2")]
    )
    assert outcomes == [APPLIED, STALE, APPLIED, STALE]
    assert shown(world.view.row(id="a")) == {"id": {"S": "a"}}


async def test_a_tombstone_expires_by_the_tables_own_ttl_attribute_and_a_row_does_not(world: World) -> None:
    processor = world.processor(ttl_attribute="expires")
    await processor.process([put("b", 5, v="1"), remove("a", 6)])
    tombstone, row = world.view.row(id="a"), world.view.row(id="b")
    assert shown(tombstone) == {"id": {"S": "a"}, "expires": {"N": str(1_700_000_100 + DAY)}}
    assert row is not None
    assert "expires" not in row


async def test_a_delete_of_what_was_never_here_leaves_a_tombstone_for_its_late_insert(world: World) -> None:
    processor = world.processor()
    assert await processor.process([remove("a", 6), put("a", 5, v="1")]) == [APPLIED, STALE]
    assert shown(world.view.row(id="a")) == {"id": {"S": "a"}}


async def test_what_was_and_is_outside_costs_no_call(world: World) -> None:
    processor = world.processor(when="new.v == 'x'")
    changes = [put("a", 5, v="1"), put("a", 6, v="2", old=item("1")), remove("a", 7, old=item("2"))]
    assert await processor.process(changes) == [SKIPPED, SKIPPED, SKIPPED]
    assert world.dynamodb.calls == []


@pytest.mark.parametrize("truth", [item("3"), None])
async def test_a_tie_ends_at_what_the_source_says_at_the_ties_version(
    world: World, truth: Image | None
) -> None:
    if truth is not None:
        world.source.put(truth)
    processor = world.processor()
    outcomes = await processor.process(
        [put("a", 5_000, v="1", granularity=MS), put("a", 5_000, v="2", granularity=MS)]
    )
    assert (outcomes, world.ties) == ([APPLIED, APPLIED], 1)
    assert world.dynamodb.calls == ["PutItem", "PutItem", "GetItem", "PutItem"]
    assert shown(world.view.row(id="a")) == (truth or {"id": {"S": "a"}})
    assert await processor.process([put("a", 5_000, v="1", granularity=MS)]) == [APPLIED]
    assert await processor.process([put("a", 6_000, v="4", granularity=MS)]) == [APPLIED]
    assert shown(world.view.row(id="a")) == item("4")


async def test_a_tie_whose_row_holds_the_truth_already_is_written_again_at_the_next_round(
    world: World,
) -> None:
    world.source.put(item("1"))
    outcomes = await world.processor().process([put("a", 5, v="1"), put("a", 5, v="2")])
    row = world.view.row(id="a")
    assert (outcomes, shown(row)) == ([APPLIED, APPLIED], item("1"))
    assert row is not None
    assert stamp_from_attribute(row[RESERVED]).round == 1


async def test_who_read_the_source_before_it_came_back_to_what_the_row_holds_writes_no_more(
    world: World,
) -> None:
    await world.processor().process([put("a", 5, v="1")])
    steps = Stepwise()
    left_behind = world.processor(
        client=InMemoryDynamoDB({TABLE: world.source, "view": world.view}, steps.pause)
    )
    world.source.put(item("2"))
    zombie = asyncio.create_task(left_behind.process([put("a", 5, v="2")]))
    for operation in ("PutItem", "PutItem", "GetItem", "GetItem"):  # refused, a tie, the source as it was
        (await steps.go_on_until(operation)).set()
    write = await steps.go_on_until("PutItem")
    world.source.put(item("1"))  # within the same tick: its record is the row's own duplicate
    assert await world.processor().process([put("a", 5, v="2")]) == [APPLIED]
    write.set()
    await steps.let_all_go(zombie)
    assert shown(world.view.row(id="a")) == item("1")


async def test_a_source_item_outside_the_condition_settles_a_tie_as_a_delete(world: World) -> None:
    world.source.put(item("out"))
    outcomes = await world.processor(when="new.v != 'out'").process([put("a", 5, v="1"), put("a", 5, v="2")])
    assert outcomes == [APPLIED, APPLIED]
    assert shown(world.view.row(id="a")) == {"id": {"S": "a"}}


async def test_a_late_change_within_its_duplicates_coarser_tick_does_not_pass_for_newer(world: World) -> None:
    """The clock went from microseconds to milliseconds within a millisecond, and neighbours were swapped."""
    changes = [
        remove("a", 1),  # then put at 2, and deleted again in the same millisecond, by the new clock
        remove("a", 0, granularity=MS),
        put("a", 2, v="late"),
    ]
    outcomes = await world.processor().process(changes)
    assert [outcome.error for outcome in outcomes] == [None, None, None]
    assert shown(world.view.row(id="a")) == {"id": {"S": "a"}}


async def test_a_tie_that_may_not_be_settled_is_rejected_with_what_to_do(world: World) -> None:
    outcomes = await world.processor(readable=False).process([put("a", 5, v="1"), put("a", 5, v="2")])
    error = outcomes[1].error
    assert isinstance(error, Rejected)
    assert (error.code, "MICROSECOND" in str(error)) == ("VersionTie", True)


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
async def test_a_store_that_is_away_is_nobodys_fault(world: World, operation: str) -> None:
    await world.processor().process([put("a", 5, v="1")])
    away = world.processor(client=Away(world.dynamodb, operation))
    (outcome,) = await away.process([put("a", 5, v="2")])
    assert isinstance(outcome.error, Unavailable)
    assert shown(world.view.row(id="a")) == item("1")


@pytest.mark.parametrize("mark", [None, {"S": "theirs"}, {"M": {"v": {"N": "1"}}}])
async def test_a_row_somebody_else_wrote_is_refused(world: World, mark: dict[str, object] | None) -> None:
    foreign = item("theirs") | ({} if mark is None else {RESERVED: mark})
    world.view.put(foreign)
    (outcome,) = await world.processor().process([put("a", 5, v="1")])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == ("ForeignRow", True)
    assert "adopt" in str(outcome.error)
    assert world.view.row(id="a") == foreign


async def test_a_row_somebody_else_wrote_is_taken_over_where_the_settings_say_so(world: World) -> None:
    world.view.put(item("theirs"))
    assert await world.processor(adopt=True).process([put("a", 5, v="1"), put("a", 4, v="0")]) == [
        APPLIED,
        STALE,
    ]
    assert shown(world.view.row(id="a")) == item("1")


async def test_a_record_that_cannot_be_mapped_does_not_hold_the_others_of_its_batch(world: World) -> None:
    processor = world.processor(when="sum([new.v]) > `0`")
    outcomes = await processor.process([put("a", 5, v="text"), remove("b", 5)])
    assert isinstance(outcomes[0].error, Rejected)
    assert outcomes[1] == APPLIED


async def test_items_are_written_side_by_side_and_an_items_changes_one_after_the_other(world: World) -> None:
    under_way: list[str] = []
    most = 0

    async def pause(operation: str) -> None:
        nonlocal most
        under_way.append(operation)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.pop()

    world.dynamodb = InMemoryDynamoDB({TABLE: world.source, "view": world.view}, pause)
    await world.processor().process([put("a", tick, v=str(tick)) for tick in range(1, 20)])
    assert (most, shown(world.view.row(id="a"))) == (1, item("19"))
    await world.processor().process([put(f"item-{number}", 1) for number in range(3 * CONNECTIONS)])
    assert most == CONNECTIONS
    assert len(world.view.rows) == 3 * CONNECTIONS + 1


async def test_a_record_that_defeats_the_mapping_is_rejected_and_its_neighbours_are_not(world: World) -> None:
    deep = '{"L":[' * 900 + '{"S":"x"}' + "]}" * 900
    bad = msgspec.structs.replace(
        put("a", 5, v="1"), new_image=msgspec.Raw(f'{{"id":{{"S":"a"}},"v":{deep}}}'.encode())
    )
    outcomes = await world.processor().process([bad, put("b", 6, v="2")])
    assert isinstance(outcomes[0].error, Rejected)
    assert outcomes[1] == APPLIED
    assert world.view.row(id="a") is None


class Stepwise:
    """Holds one writer's calls until the test lets them go, one by one."""

    def __init__(self) -> None:
        self.held: asyncio.Queue[tuple[str, asyncio.Event]] = asyncio.Queue()

    async def pause(self, operation: str) -> None:
        go = asyncio.Event()
        self.held.put_nowait((operation, go))
        await go.wait()

    async def go_on_until(self, operation: str) -> asyncio.Event:
        """Let calls go until one of this operation is about to take effect."""
        while True:
            name, go = await self.held.get()
            if name == operation:
                return go
            go.set()

    async def let_all_go(self, until: "asyncio.Task[list[Outcome]]") -> None:
        """Let every call go on until a task is done."""
        while not until.done():
            left = asyncio.create_task(self.held.get())
            await asyncio.wait((until, left), return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                left.result()[1].set()
            left.cancel()


async def test_a_writer_that_was_left_behind_while_settling_a_tie_does_not_write_over_a_newer_row(
    world: World,
) -> None:
    world.source.put(item("2"))
    await world.processor().process([put("a", 5, v="1")])
    steps = Stepwise()
    left_behind = world.processor(
        client=InMemoryDynamoDB({TABLE: world.source, "view": world.view}, steps.pause)
    )
    zombie = asyncio.create_task(left_behind.process([put("a", 5, v="2")]))
    (await steps.go_on_until("PutItem")).set()  # refused: a tie
    (await steps.go_on_until("PutItem")).set()  # and its answer
    for _ in range(2):
        (await steps.go_on_until("GetItem")).set()  # the source as it was
    write = await steps.go_on_until("PutItem")
    world.source.put(item("3"))
    assert await world.processor().process([put("a", 6, v="3")]) == [APPLIED]
    write.set()
    await steps.let_all_go(zombie)
    assert zombie.result() == [STALE]
    assert shown(world.view.row(id="a")) == item("3")
