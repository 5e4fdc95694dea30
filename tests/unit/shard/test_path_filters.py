"""The record path: what a processor's filter leaves out is settled at once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from consumer.filters.pattern import Event, Filter, Pattern
from consumer.filters.records import event_of
from consumer.record import ChangeRecord, Image, Position, StreamRecord
from consumer.shard import path as record_path
from tests.support.changes import envelope, in_stream
from tests.unit.shard import rig
from tests.unit.shard.rig import Way, item, until

A_OR_B = f'{{"dynamodb":{{"Keys":{{"id":{{"S":["{item("a")}","{item("b")}"]}}}}}}}}'
PAID_OR_LISTED = '{"dynamodb":{"NewImage":{"status":{"$or":[{"S":["PAID"]},{"L":["PAID"]}]}}}}'
PAID = '{"dynamodb":{"NewImage":{"status":{"S":["PAID"]}}}}'


def change(letter: str, number: int, status: str = "NEW") -> StreamRecord:
    name = item(letter)
    new: Image = {"id": {"S": name}, "status": {"S": status}}
    return in_stream(envelope("INSERT", {"id": {"S": name}}, 1, new=new), number)


def unreadable(letter: str, number: int) -> StreamRecord:
    """A change whose SizeBytes nobody can read: a number of 5,000 digits."""
    record = change(letter, number)
    return in_stream(record.data.replace(b'"Keys"', b'"SizeBytes":' + b"1" * 5_000 + b',"Keys"'), number)


@asynccontextmanager
async def way(**filters: str) -> AsyncIterator[Way]:
    """With filters, and processors that apply at once."""
    compiled = {name: Filter([Pattern(text)]) for name, text in filters.items()}
    async with rig.way(filters=compiled) as shard:
        shard.view.let_go()
        shard.audit.let_go()
        yield shard


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


def nested(letter: str, number: int) -> StreamRecord:
    """A change whose status is an array in an array, 900 times."""
    record = change(letter, number)
    deep = b'{"L":' + b"[" * 900 + b"]" * 900 + b"}"
    return in_stream(record.data.replace(b'{"S":"NEW"}', deep), number)


@pytest.mark.parametrize("odd", [unreadable, nested])
async def test_what_cannot_be_read_whole_is_never_filtered_out(
    odd: Callable[[str, int], StreamRecord],
) -> None:
    async with way(view=PAID_OR_LISTED) as shard:
        shard.accept(odd("a", 1), change("c", 2))
        await until(lambda: shard.low == "2")

        assert [record.item for record in shard.view.applied] == [item("a")]


async def test_what_was_settled_in_an_earlier_tenure_is_not_filtered_again() -> None:
    async with way(view=A_OR_B) as shard:
        shard.path.resume({"view": Position("2")})
        shard.accept(change("c", 1), change("a", 2), change("c", 3), change("b", 4))
        await until(lambda: shard.low == "4")

        assert shard.path.outcomes["view"] == {"filtered": 1, "applied": 1}
