"""A tie is settled only by what stands in the row: one that is older by now is not taken for a newer one."""

from dataclasses import replace

import pytest

from consumer.attributes import RESERVED
from consumer.errors import Unavailable
from consumer.processors.base import APPLIED, Outcome
from consumer.processors.gate import Stamp, stamp_to_attribute
from consumer.processors.gated import Write
from consumer.processors.projection.dynamodb import RowSink
from consumer.processors.projection.mapping import Desired, Row
from consumer.record import Granularity, Image, Version
from consumer.settings.context import TableFacts
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table

VERSION = Version(5_000, Granularity.MILLISECOND)
OLDER = Version(4_000, Granularity.MILLISECOND)
KEY: Image = {"id": {"S": "a"}}
TOTAL: Image = {"total": {"N": "1"}}
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
    sink = RowSink(
        InMemoryDynamoDB({"view": table}), FACTS, adopt=True, tombstone_seconds=60.0, clock=lambda: 0.0
    )
    assert await sink.write([Write("a", VERSION, Desired("first", (Row(KEY, {}),), ()))]) == [APPLIED]
    change = Write("a", VERSION, Desired("second", (Row(KEY, TOTAL),), ()))
    (held,) = await sink.write([change])
    assert isinstance(held, Stamp)

    table.put(intruder)  # while the source is read

    (answer,) = await sink.write([replace(change, over=held)])
    if isinstance(answer, Stamp):
        (answer,) = await sink.write([replace(change, over=answer)])
    assert isinstance(answer, Outcome)
    assert isinstance(answer.error, Unavailable)
    assert await sink.write([change]) == [APPLIED]
