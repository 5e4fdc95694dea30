"""Whatever is written, and however it is delivered, an index ends at the truth, document by document.

The index is in memory, and takes each document of a request in one step, as OpenSearch does. Hypothesis
chooses which request goes on next, so that writers of one shard interleave at every point, and a crash may
come between any two requests, or between a request's effect and its answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.attributes import RESERVED
from consumer.errors import Unavailable
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
from tests.support.in_memory_opensearch import InMemoryOpenSearch, Kept
from tests.support.interleaving import Interleaver

US, MS = Granularity.MICROSECOND, Granularity.MILLISECOND
OUT = "out"
BAD = ""
"""Where a document's key is made of the value, it can be made of none; nor do letters repeat."""

Shown = dict[str, str]
"""What readers find: the value of each document, by its id."""


@dataclass(frozen=True, slots=True)
class Case:
    """A projection's settings, and the documents that it makes of an item's value."""

    settings: Mapping[str, object]
    ids: str
    """`item`: one; `letters`: one for each letter; `value`: one that moves with the value."""

    def shown(self, item: str, value: str) -> Shown:
        if value == OUT and "when" in self.settings:
            return {}
        if self.ids == "item":
            return {item: value}
        if self.ids == "letters":
            return {f"{item}|{letter}": value for letter in value}
        return {f"{value}|{item}": value}


FIELDS = {"v": "new.v"}
LETTERS = {"for_each": "new.letters", "key": {"id": "keys.id", "letter": "item"}, "fields": FIELDS}
CASES = {
    "one": Case({"key": {"id": "keys.id"}, "fields": FIELDS, "when": f"new.v != '{OUT}'"}, "item"),
    "letters": Case(LETTERS, "letters"),
    "letters, when": Case({**LETTERS, "when": f"new.v != '{OUT}'"}, "letters"),
    "moving": Case({"key": {"code": "new.v"}, "fields": FIELDS}, "value"),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A write that changed something, and its record."""

    item: str
    value: str | None
    micros: int
    record: ChangeRecord


def image_of(item: str, value: str | None) -> Image | None:
    if value is None:
        return None
    letters = [{"S": letter} for letter in dict.fromkeys(value)] if value else [{"S": "a"}, {"S": "a"}]
    return {"id": {"S": item}, "v": {"S": value}, "letters": {"L": letters}}


@st.composite
def histories(draw: st.DrawFn, case: Case) -> list[Written]:
    """Writes to one item or two by one clock, many of them in one tick; none ends as what can't be mapped."""
    extra = [] if case.ids == "item" else [BAD, BAD]
    granularity = draw(st.sampled_from([US, MS]))
    write = st.tuples(
        st.sampled_from(draw(st.sampled_from(["x", "xy"]))),
        st.sampled_from(["ab", "bc", "a", "c", OUT, None, *extra]),
        st.sampled_from(draw(st.sampled_from([[0, 1, 300], [0, 1, 300, 1_000], [300, 1_000]]))),
    )
    values: dict[str, str | None] = {}
    history: list[Written] = []
    micros = 1_700_000_000_000_000
    writes = draw(st.lists(write, min_size=1, max_size=8))
    last = {item: value for item, value, _ in writes}
    mended = [(item, draw(st.sampled_from(["ab", None])), 1_000) for item in last if last[item] == BAD]
    for item, value, later in [*writes, *mended]:
        micros += later
        old = values.get(item)
        if value == old:
            continue
        values[item] = value
        event: EventName = "REMOVE" if value is None else "INSERT" if old is None else "MODIFY"
        keys = {"id": {"S": item}}
        new_image, old_image = image_of(item, value), image_of(item, old)
        data = envelope(event, keys, micros, new=new_image, old=old_image, granularity=granularity)
        history.append(Written(item, value, micros, decode(in_stream(data, len(history) + 1))))
    return history


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
    """A source table, the stream of its changes, and the index."""

    case: Case
    history: list[Written]
    stream: list[int]
    interleaver: Interleaver
    source: Table = field(default_factory=lambda: Table("id"))
    documents: dict[str, Kept] = field(default_factory=dict)
    written: int = 0

    def write_next(self) -> None:
        """Write the next item of the history, with all of its tick."""
        if self.written == len(self.history):
            return
        tick = self.history[self.written].micros // MS
        while self.written < len(self.history) and self.history[self.written].micros // MS == tick:
            write = self.history[self.written]
            image = image_of(write.item, write.value)
            if image is None:
                self.source.delete({"id": {"S": write.item}})
            else:
                self.source.put(image)
            self.written += 1

    def processor(self) -> GatedProcessor[Desired]:
        dynamodb = InMemoryDynamoDB({TABLE: self.source}, self.interleaver.pause)
        index = Index(InMemoryOpenSearch(self.documents, self.interleaver.pause), "view")
        facts = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})
        store = Store(opensearch=OpenSearchIndex(url="http://there", index="view"))
        mapping = ProjectionMapping(
            Projection.model_validate({"store": store, **self.case.settings}), form="plain"
        )
        sink = IndexSink(
            index,
            Documents(mapping, ("id",), lambda: 1),
            Purge(index, clock=lambda: 0.0, uniform=lambda: 0.5),
            tombstone_seconds=1.0,
        )
        return GatedProcessor(
            mapping, sink, SourceReader(dynamodb, facts, readable=True), on_tie=lambda: None
        )

    def shown(self) -> Shown:
        """What readers find."""
        found: Shown = {}
        for name, kept in self.documents.items():
            if not cast("Mapping[str, object]", kept.source[RESERVED]).get("gone"):
                found[name] = str(kept.source["v"])
        return found

    def truth(self) -> Shown:
        """What readers should find once all is written and delivered."""
        last = {write.item: write.value for write in self.history}
        found: Shown = {}
        for item, value in last.items():
            found |= {} if value is None else self.case.shown(item, value)
        return found


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
            pending: Sequence[ChangeRecord] = [shard.history[number].record for number in numbers]
            while pending:
                outcomes = await processor.process(pending)
                ends = zip(pending, outcomes, strict=True)
                pending = [
                    record
                    for record, outcome in ends
                    if outcome.kind == "held" or isinstance(outcome.error, Unavailable)
                ]
            self.frontier += len(numbers)


async def deliver(shard: Shard, random: Random) -> None:
    """Let tenures of the lease follow and overlap each other until all are over and the last at the end."""
    tenures = [Tenure(shard, 0, random.choice([1, 2, 5]))]
    crashes, writing = random.choice([0, 1, 3]), random.choice([0.05, 0.4])
    while not all(tenure.task.done() for tenure in tenures):
        await shard.interleaver.step()
        if random.random() < writing:
            shard.write_next()
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


@pytest.mark.parametrize("name", list(CASES))
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_the_index_ends_at_the_truth(name: str, data: st.DataObject, random: Random) -> None:
    history = data.draw(histories(CASES[name]))
    stream = data.draw(streams(len(history)))

    async def scenario() -> None:
        shard = Shard(CASES[name], history, stream, Interleaver(random))
        await deliver(shard, random)
        assert shard.shown() == shard.truth()

    asyncio.run(scenario())
