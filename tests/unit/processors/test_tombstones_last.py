"""Tombstones outlive whatever may still bring back an older change."""

from types import SimpleNamespace
from typing import cast

import pytest

from consumer.processors.base import ProcessorTools
from consumer.processors.build import build_processor
from consumer.record import ChangeRecord
from consumer.settings.context import TableFacts
from consumer.stores.opened import Stores
from tests.support.changes import TABLE, put, remove
from tests.support.context import shard_context
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

NOW = 1_700_000_000.0
HOUR = 3_600


class OneClient:
    """Clients that are all the same."""

    def __init__(self, dynamodb: InMemoryDynamoDB) -> None:
        self._dynamodb = dynamodb

    def client(self, _service: str, _region: str) -> InMemoryDynamoDB:
        return self._dynamodb


class World:
    """A projection with its clock, on a table whose TTL deletes what has expired at once."""

    def __init__(self, stream_hours: int, queue_hours: int = 0) -> None:
        self.now = NOW
        self.view = Table("id")
        context = shard_context(retention_hours=stream_hours).model_copy(
            update={"dead_letter_retention_seconds": queue_hours * HOUR}
        )
        view = context.targets["view"]
        assert isinstance(view, TableFacts)
        target = view.model_copy(update={"ttl_attribute": "expires"})
        context = context.model_copy(update={"targets": {"view": target}})
        clients = OneClient(InMemoryDynamoDB({TABLE: Table("id"), target.name: self.view}))
        (settings,) = context.settings.processors
        self._processor = build_processor(
            settings,
            context,
            cast("Stores", SimpleNamespace(aws=clients)),
            ProcessorTools(clock=lambda: self.now, uniform=lambda: 0.5),
        )

    async def process(self, change: ChangeRecord) -> str:
        """What became of the change, read `now`."""
        row = self.view.row(id="a")
        if row is not None and "expires" in row and int(str(row["expires"]["N"])) <= self.now:
            self.view.delete(row)
        (outcome,) = await self._processor.process([change])
        return outcome.kind


@pytest.mark.parametrize(
    ("stream_hours", "queue_hours", "tombstone_hours"),
    [(24, 0, 48), (24, 14 * 24, 15 * 24), (365 * 24, 14 * 24, 366 * 24)],
)
async def test_a_tombstone_lives_a_day_longer_than_the_stream_or_a_dead_letter_queue_keeps_a_change(
    stream_hours: int, queue_hours: int, tombstone_hours: int
) -> None:
    world = World(stream_hours, queue_hours)

    assert await world.process(remove("a", int(NOW * 1_000_000))) == "applied"

    row = world.view.row(id="a")
    assert row is not None
    assert row["expires"] == {"N": str(int(NOW) + tombstone_hours * HOUR)}


async def test_a_duplicate_that_came_late_and_is_read_in_the_streams_last_second_finds_the_tombstone() -> (
    None
):
    world, micros = World(stream_hours=24), int(NOW * 1_000_000)
    created = put("a", micros)
    assert await world.process(created) == "applied"
    assert await world.process(remove("a", micros + 1)) == "applied"

    came_again = NOW + 12 * HOUR  # into the stream, which keeps it for a day from then on
    world.now = came_again + 24 * HOUR - 1

    assert await world.process(created) == "stale"
