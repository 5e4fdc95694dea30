"""A processor that is to stop ends the writes under way and begins no other."""

from consumer.processors.base import APPLIED, HELD
from consumer.processors.projection.processor import CONNECTIONS
from tests.support.changes import put
from tests.unit.processors.test_projection_processor import World


async def test_of_a_long_batch_only_what_is_under_way_at_the_stop_is_carried_out() -> None:
    world = World()
    processor = world.processor(is_stopping=lambda: len(world.dynamodb.calls) >= CONNECTIONS)

    outcomes = await processor.process([put(f"item-{number}", 1, v="1") for number in range(200)])

    assert len(outcomes) == 200
    assert outcomes.count(APPLIED) == len(world.dynamodb.calls)
    assert outcomes.count(HELD) == 200 - len(world.dynamodb.calls) > 100
