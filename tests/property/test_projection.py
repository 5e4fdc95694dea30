"""Whatever is written, and however it is delivered, the read model ends at the truth.

The stores are an in-memory DynamoDB whose calls are atomic one by one, as DynamoDB's are. Hypothesis chooses
which call goes on next, so that writers of one shard interleave at every point, and a crash may come between
any two calls, or between a write's effect and its answer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consumer.attributes import RESERVED
from consumer.processors.gated import GatedProcessor
from consumer.processors.projection.dynamodb import RowSink
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.processors.source import SourceReader
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.settings.context import TableFacts
from consumer.settings.model import Projection
from consumer.settings.stores import DynamoDBTable, Store
from consumer.shard.envelopes import decode
from tests.support.changes import TABLE, envelope, in_stream
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table
from tests.support.interleaving import Interleaver

VIEW = "view"
MILLISECOND = 1_000
US, MS = Granularity.MICROSECOND, Granularity.MILLISECOND

Write = tuple[str, str | None, int, Granularity]
"""An item, its new value (None: deleted), microseconds since the last write, and the clock's granularity."""


@dataclass(frozen=True, slots=True)
class Written:
    """A write that changed something, and its record."""

    item: str
    image: Image | None
    micros: int
    record: ChangeRecord


def image_of(item: str, value: str | None) -> Image | None:
    return None if value is None else {"id": {"S": item}, "v": {"S": value}}


def carry_out(writes: Sequence[Write]) -> list[Written]:
    """What the table does with the writes; one that changes nothing leaves no record."""
    values: dict[str, str | None] = {}
    history: list[Written] = []
    micros = 1_700_000_000_000_000
    for item, value, later, granularity in writes:
        micros += later
        old = values.get(item)
        if value == old:
            continue
        values[item] = value
        event: EventName = "REMOVE" if value is None else "INSERT" if old is None else "MODIFY"
        keys = {"id": {"S": item}}
        data = envelope(
            event, keys, micros, new=image_of(item, value), old=image_of(item, old), granularity=granularity
        )
        record = decode(in_stream(data, len(history) + 1))
        history.append(Written(item, image_of(item, value), micros, record))
    return history


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    """Writes to one to three items, with many in one millisecond and some in one microsecond."""
    clock = draw(st.sampled_from(["microsecond", "millisecond", "either"]))
    granularity = {
        "microsecond": st.just(US),
        "millisecond": st.just(MS),
        "either": st.sampled_from([US, MS]),
    }[clock]
    write = st.tuples(
        st.sampled_from(draw(st.sampled_from(["x", "xy", "xyz"]))),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(draw(st.sampled_from([[0, 1, 300], [0, 1, 300, 1_000], [300, 1_000, 5_000]]))),
        granularity,
    )
    return carry_out(draw(st.lists(write, min_size=1, max_size=9)))


@st.composite
def streams(draw: st.DrawFn, count: int) -> list[int]:
    """The order in which the shard holds the records: neighbours swapped, some twice."""
    order = [number for number in range(count) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
    for place in range(len(order) - 1):
        if draw(st.sampled_from([False, False, True])):
            order[place], order[place + 1] = order[place + 1], order[place]
    return order


@dataclass(slots=True)
class Shard:
    """A source table, the stream of its changes, and the read model."""

    history: list[Written]
    stream: list[int]
    when: str | None
    interleaver: Interleaver
    source: Table = field(default_factory=lambda: Table("id"))
    view: Table = field(default_factory=lambda: Table("id"))
    written: int = 0

    def write_next(self, *, whole_millisecond: bool) -> bool:
        """Write the next item of the history, with all of its millisecond; False where all is written."""
        if self.written == len(self.history):
            return False
        now = self.history[self.written].micros // MILLISECOND
        while self.written < len(self.history):
            write = self.history[self.written]
            if write.micros // MILLISECOND != now:
                break
            if write.image is None:
                self.source.delete({"id": {"S": write.item}})
            else:
                self.source.put(write.image)
            self.written += 1
            if not whole_millisecond:
                break
        return True

    def processor(self) -> GatedProcessor[Desired]:
        client = InMemoryDynamoDB({TABLE: self.source, VIEW: self.view}, self.interleaver.pause)
        key_types: dict[str, str] = {"id": "S"}
        orders = TableFacts.model_validate(
            {"name": TABLE, "region": "r", "partition_key": "id", "key_types": key_types}
        )
        store = Store(dynamodb=DynamoDBTable(table=VIEW))
        return GatedProcessor(
            ProjectionMapping(Projection(store=store, key={"id": "keys.id"}, when=self.when)),
            RowSink(
                client,
                orders.model_copy(update={"name": VIEW}),
                adopt=False,
                tombstone_seconds=1.0,
                clock=lambda: 0.0,
            ),
            SourceReader(client, orders, readable=True),
            on_tie=lambda: None,
        )

    def rows(self) -> dict[str, Image]:
        """The read model as its readers see it: without tombstones and without our mark."""
        found: dict[str, Image] = {}
        for row in self.view.rows.values():
            shown = {name: value for name, value in row.items() if name != RESERVED}
            if shown.keys() != {"id"}:
                found[str(row["id"]["S"])] = shown
        return found

    def truth(self) -> dict[str, Image]:
        """What the read model should hold once all is written and delivered."""
        last = {write.item: write.image for write in self.history}
        return {
            item: image
            for item, image in last.items()
            if image is not None and (self.when is None or image["v"] != {"S": "b"})
        }


class Tenure:
    """One writer's way through the stream from a place on; its frontier is how far all of it is settled."""

    def __init__(self, shard: Shard, start: int, batch_size: int) -> None:
        self.frontier = start
        self._shard = shard
        self._batch_size = batch_size
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        shard, processor = self._shard, self._shard.processor()
        while self.frontier < len(shard.stream):
            numbers = shard.stream[self.frontier : self.frontier + self._batch_size]
            while max(numbers) >= shard.written:
                await shard.interleaver.pause("records to come")
            pending = [shard.history[number].record for number in numbers]
            while pending:
                outcomes = await processor.process(pending)
                pending = [
                    record
                    for record, outcome in zip(pending, outcomes, strict=True)
                    if outcome.error is not None
                ]
            self.frontier += len(numbers)


async def deliver(shard: Shard, random: Random, *, whole_milliseconds: bool) -> None:
    """Let tenures of the lease follow and overlap each other until all are over and the last at the end."""
    tenures = [Tenure(shard, 0, random.choice([1, 2, 5]))]
    crashes, writing = random.choice([0, 1, 3]), random.choice([0.05, 0.4])
    while not all(tenure.task.done() for tenure in tenures):
        await shard.interleaver.step()
        if random.random() < writing:
            shard.write_next(whole_millisecond=whole_milliseconds)
        if crashes and random.random() < 0.15:
            crashes -= 1
            last = tenures[-1]
            # The next owner begins where the last one had checkpointed, or before; the last one may write on.
            tenures.append(Tenure(shard, random.randint(0, last.frontier), random.choice([1, 2, 5])))
            if random.random() < 0.5:
                last.task.cancel()
        for zombie in tenures[:-1]:
            if random.random() < 0.01:
                zombie.task.cancel()
    await asyncio.gather(*(tenure.task for tenure in tenures), return_exceptions=True)
    assert tenures[-1].task.exception() is None


WHENS = st.sampled_from([None, "new.v != 'b'"])
SCHEDULES = st.randoms(use_true_random=False)


@given(st.data(), histories(), WHENS, SCHEDULES)
def test_the_read_model_ends_at_the_truth(
    data: st.DataObject, history: list[Written], when: str | None, random: Random
) -> None:
    stream = data.draw(streams(len(history)))

    async def scenario() -> None:
        shard = Shard(history, stream, when, Interleaver(random))
        await deliver(shard, random, whole_milliseconds=True)
        assert shard.rows() == shard.truth()

    asyncio.run(scenario())


@given(st.data(), histories(), WHENS, SCHEDULES)
def test_delivering_everything_once_more_changes_nothing(
    data: st.DataObject, history: list[Written], when: str | None, random: Random
) -> None:
    stream = data.draw(streams(len(history)))

    async def scenario() -> None:
        shard = Shard(history, stream, when, Interleaver(random))
        await deliver(shard, random, whole_milliseconds=True)
        await deliver(shard, random, whole_milliseconds=True)
        assert shard.rows() == shard.truth()

    asyncio.run(scenario())
