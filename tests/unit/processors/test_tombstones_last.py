"""Tombstones outlive whatever may still bring back an older change."""

from typing import cast

import pytest

from consumer.aws.clients import Clients
from consumer.processors.build import build_processor
from tests.support.changes import TABLE, remove
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


@pytest.mark.parametrize(
    ("stream_hours", "queue_hours", "tombstone_hours"),
    [(24, 0, 24), (24, 14 * 24, 14 * 24), (365 * 24, 14 * 24, 365 * 24)],
)
async def test_a_tombstone_lives_as_long_as_the_stream_or_a_dead_letter_queue_keeps_a_change(
    stream_hours: int, queue_hours: int, tombstone_hours: int
) -> None:
    view = Table("id")
    context = shard_context(retention_hours=stream_hours).model_copy(
        update={"dead_letter_retention_seconds": queue_hours * HOUR}
    )
    target = context.targets["view"].model_copy(update={"ttl_attribute": "expires"})
    context = context.model_copy(update={"targets": {"view": target}})
    clients = OneClient(InMemoryDynamoDB({TABLE: Table("id"), target.name: view}))
    (settings,) = context.settings.processors
    processor = build_processor(
        settings,
        context,
        cast("Clients", clients),
        clock=lambda: NOW,
        on_tie=lambda: None,
        is_stopping=lambda: False,
    )

    await processor.process([remove("a", int(NOW * 1_000_000))])

    row = view.row(id="a")
    assert row is not None
    assert row["expires"] == {"N": str(int(NOW) + tombstone_hours * HOUR)}
