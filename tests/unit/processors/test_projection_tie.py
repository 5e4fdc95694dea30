"""A tie is settled only by what stands in the row: one that is older by now is not taken for a newer one."""

import pytest

from consumer.attributes import RESERVED
from consumer.errors import Unavailable
from consumer.processors.base import APPLIED
from consumer.processors.gate import Stamp, stamp_to_attribute
from consumer.processors.projection.mapping import Desired
from consumer.processors.projection.sink import ProjectionSink
from consumer.record import Granularity, Image, Version
from consumer.settings.context import TableFacts
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

VERSION = Version(5_000, Granularity.MILLISECOND)
OLDER = Version(4_000, Granularity.MILLISECOND)
KEY: Image = {"id": {"S": "a"}}
FACTS = TableFacts(name="view", region="us-east-1", partition_key="id", key_types={"id": "S"})


@pytest.mark.parametrize(
    "intruder",
    [
        pytest.param({**KEY}, id="a foreign row, where rows are adopted"),
        pytest.param(
            {**KEY, RESERVED: stamp_to_attribute(Stamp(OLDER, "old"))},
            id="an older row after its tombstone went",
        ),
    ],
)
async def test_a_row_that_turns_older_while_a_tie_is_settled_is_not_taken_for_the_outcome(
    intruder: Image,
) -> None:
    table = Table("id")
    sink = ProjectionSink(
        InMemoryDynamoDB({"view": table}), FACTS, adopt=True, tombstone_seconds=60.0, clock=lambda: 0.0
    )
    assert await sink.write(Desired(KEY, {**KEY}, "first"), VERSION) is APPLIED
    change = Desired(KEY, {**KEY, "total": {"N": "1"}}, "second")
    held = await sink.write(change, VERSION)
    assert isinstance(held, Stamp)

    async def source_state() -> Desired:
        table.put(intruder)
        return change

    with pytest.raises(Unavailable):
        await sink.settle_tie(held, VERSION, source_state)
    assert await sink.write(change, VERSION) is APPLIED
