"""A processor that is to stop ends the writes under way and begins no other."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from consumer.processors.base import APPLIED, HELD
from consumer.processors.projection.dynamodb import CONNECTIONS
from consumer.processors.source import Answer
from tests.support.changes import put
from tests.unit.processors.test_projection_processor import World


async def test_of_a_long_batch_only_what_is_under_way_at_the_stop_is_carried_out() -> None:
    world = World()
    processor = world.processor(is_stopping=lambda: len(world.dynamodb.calls) >= CONNECTIONS)

    outcomes = await processor.process([put(f"item-{number}", 1, v="1") for number in range(200)])

    assert len(outcomes) == 200
    assert outcomes.count(APPLIED) == len(world.dynamodb.calls)
    assert outcomes.count(HELD) == 200 - len(world.dynamodb.calls) > 100


async def test_a_record_that_fails_for_no_known_reason_ends_the_batch_once_all_its_writes_have_ended() -> (
    None
):
    world = World()
    ended: list[str] = []

    class Broken:
        async def call(
            self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
        ) -> Answer:
            name = orjson.loads(request)["Item"]["id"]["S"] if isinstance(request, bytes) else ""
            if name == "broken":
                raise ZeroDivisionError
            for _ in range(20):  # turns of the loop: longer than the error takes to be told
                await asyncio.sleep(0)
            answer = await world.dynamodb.call(operation, request, expect=expect)
            ended.append(name)
            return answer

    with pytest.raises(ZeroDivisionError):
        await world.processor(client=Broken()).process([put(name, 1) for name in ("broken", "a", "b")])
    assert sorted(ended) == ["a", "b"]
