"""The record path: what a processor's filter leaves out is settled at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from consumer.filters.pattern import Event, Filter, Pattern
from consumer.filters.records import event_of
from consumer.processors.base import Processor
from consumer.record import ChangeRecord, Image, Position, StreamRecord
from consumer.shard import path as record_path
from consumer.shard.path import RecordPath, decode_all
from consumer.shard.window import Window
from tests.support.changes import envelope, in_stream
from tests.unit.shard.rig import HeldProcessor, Letters, PathDelivery, item, make_path, running, until

A_OR_B = f'{{"dynamodb":{{"Keys":{{"id":{{"S":["{item("a")}","{item("b")}"]}}}}}}}}'
PAID = '{"dynamodb":{"NewImage":{"status":{"S":["PAID"]}}}}'


def change(letter: str, number: int, status: str = "NEW") -> StreamRecord:
    name = item(letter)
    new: Image = {"id": {"S": name}, "status": {"S": status}}
    return in_stream(envelope("INSERT", {"id": {"S": name}}, 1, new=new), number)


def unreadable(letter: str, number: int) -> StreamRecord:
    """A change whose SizeBytes nobody can read: a number of 5,000 digits."""
    record = change(letter, number)
    return in_stream(record.data.replace(b'"Keys"', b'"SizeBytes":' + b"1" * 5_000 + b',"Keys"'), number)


@dataclass(slots=True)
class Way:
    """A record path with two processors that apply at once."""

    path: RecordPath
    window: Window
    view: HeldProcessor
    audit: HeldProcessor

    def accept(self, *records: StreamRecord) -> None:
        self.window.admit(len(records), sum(len(record.data) for record in records))
        self.path.accept(list(records), decode_all(records))

    @property
    def low(self) -> str | None:
        low = self.path.frontier.low
        return None if low is None else low.sequence_number


@asynccontextmanager
async def way(**filters: str) -> AsyncIterator[Way]:
    window = Window(records=1_000, size=1_000_000)
    processors: dict[str, Processor] = {
        "view": (view := HeldProcessor()),
        "audit": (audit := HeldProcessor()),
    }
    compiled = {name: Filter([Pattern(text)]) for name, text in filters.items()}
    path = make_path(processors, window, Letters(), compiled)
    view.let_go()
    audit.let_go()
    async with running(PathDelivery(path, window)):
        yield Way(path, window, view, audit)


def count_readings(monkeypatch: pytest.MonkeyPatch) -> list[ChangeRecord]:
    read: list[ChangeRecord] = []

    def counting(change: ChangeRecord) -> Event | None:
        read.append(change)
        return event_of(change)

    monkeypatch.setattr(record_path, "event_of", counting)
    return read


async def test_what_matches_no_pattern_is_settled_as_filtered_and_the_rest_is_delivered() -> None:
    async with way(view=A_OR_B) as shard:
        shard.accept(change("c", 1), change("a", 2), change("d", 3), change("b", 4))
        await until(lambda: shard.low == "4")

        assert sorted(record.item for record in shard.view.applied) == [item("a"), item("b")]
        assert shard.path.outcomes == {"view": {"filtered": 2, "applied": 2}, "audit": {"applied": 4}}
        assert shard.window.records == 0


async def test_a_filtered_record_moves_its_own_processors_frontier_only() -> None:
    async with way(view=A_OR_B, audit=PAID) as shard:
        shard.accept(change("c", 1), change("c", 2, "PAID"))
        await until(lambda: len(shard.audit.applied) == 1)

        assert shard.path.frontier.last_of("view") == change("c", 2, "PAID")
        assert shard.path.outcomes == {"view": {"filtered": 2}, "audit": {"filtered": 1, "applied": 1}}
        assert shard.view.begun == 0


async def test_a_filter_of_keys_does_not_read_the_record_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read = count_readings(monkeypatch)
    async with way(view=A_OR_B) as shard:
        shard.accept(change("a", 1), change("c", 2))
        await until(lambda: shard.low == "2")

    assert read == []


async def test_a_record_is_read_once_for_all_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    read = count_readings(monkeypatch)
    async with way(view=PAID, audit=PAID) as shard:
        shard.accept(change("a", 1, "PAID"), change("c", 2))
        await until(lambda: shard.low == "2")

    assert len(read) == 2


async def test_what_cannot_be_read_whole_is_never_filtered_out() -> None:
    async with way(view=PAID) as shard:
        shard.accept(unreadable("a", 1), change("c", 2))
        await until(lambda: shard.low == "2")

        assert [record.item for record in shard.view.applied] == [item("a")]


async def test_what_was_settled_in_an_earlier_tenure_is_not_filtered_again() -> None:
    async with way(view=A_OR_B) as shard:
        shard.path.resume({"view": Position("2")})
        shard.accept(change("c", 1), change("a", 2), change("c", 3), change("b", 4))
        await until(lambda: shard.low == "4")

        assert shard.path.outcomes["view"] == {"filtered": 1, "applied": 1}
