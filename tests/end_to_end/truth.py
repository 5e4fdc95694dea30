"""The judge: source, stream, leases and read model as they stand in AWS, told without Tidemark's own code."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.end_to_end.harness import PATIENCE_SECONDS, wait_until
from tests.end_to_end.stage import KEY, Stage
from tests.integration.streams import read_shard, shards_of
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis.type_defs import RecordTypeDef

Item = Mapping[str, Any]
"""An item in the JSON of boto3's client."""

SHARD_END = "SHARD_END"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReadModel:
    """The rows of a read model by key, without `_tidemark`; and which keys have a tombstone."""

    rows: dict[str, Item]
    tombstones: frozenset[str]


def source(stage: Stage) -> dict[str, Item]:
    """The source's items by key."""
    return {item[KEY]["S"]: item for item in scan(stage.aws.dynamodb, stage.table)}


def read_model(stage: Stage, view: str | None = None) -> ReadModel:
    """The read model as a reader sees it."""
    rows: dict[str, Item] = {}
    tombstones: set[str] = set()
    for row in scan(stage.aws.dynamodb, view or stage.view):
        if row["_tidemark"]["M"]["d"]["S"] == "-":
            tombstones.add(row[KEY]["S"])
        else:
            rows[row[KEY]["S"]] = {name: value for name, value in row.items() if name != "_tidemark"}
    return ReadModel(rows, frozenset(tombstones))


def differences(
    stage: Stage, view: str | None = None, expected: Callable[[Item], Item] = lambda item: item
) -> list[str]:
    """A line for each item that is missing, differs, or should not be there; `expected` is an item's row."""
    wanted = {key: comparable(expected(item)) for key, item in source(stage).items()}
    found = {key: comparable(row) for key, row in read_model(stage, view).rows.items()}
    return [
        f"{key}: is {found.get(key)}, should be {wanted.get(key)}"
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]


def assert_read_model_equals_source(
    stage: Stage, view: str | None = None, expected: Callable[[Item], Item] = lambda item: item
) -> None:
    """Item by item; the test sees to it that all is settled (`wait_until_checkpointed`)."""
    lines = differences(stage, view, expected)
    assert not lines, f"{len(lines)} items differ, the first: " + "\n".join(lines[:_SHOWN])


def comparable(value: Any) -> Any:  # noqa: ANN401 - attribute values of any shape
    """Values as they are, but for sets, which have no order."""
    if isinstance(value, Mapping):
        return {
            name: sorted(inner) if name in ("SS", "NS", "BS") else comparable(inner)
            for name, inner in value.items()
        }
    return [comparable(inner) for inner in value] if isinstance(value, list) else value


def stream_records(stage: Stage) -> "dict[str, list[RecordTypeDef]]":
    """All records there are, by shard, in order."""
    kinesis = stage.aws.kinesis
    return {
        shard: read_shard(kinesis, stage.stream, shard).records for shard in shards_of(kinesis, stage.stream)
    }


def stream_numbers(stage: Stage) -> dict[str, list[int]]:
    """Sequence numbers of all records there are, by shard, in order."""
    return {
        shard: [int(record["SequenceNumber"]) for record in records]
        for shard, records in stream_records(stage).items()
    }


def checkpoints(stage: Stage) -> dict[str, str]:
    """Each lease's checkpoint, from KCL's own table."""
    leases = scan(stage.aws.dynamodb, stage.application)
    return {lease["leaseKey"]["S"]: lease["checkpoint"]["S"] for lease in leases}


def owners(stage: Stage) -> dict[str, str | None]:
    """Each lease's owner, from KCL's own table."""
    leases = scan(stage.aws.dynamodb, stage.application)
    return {lease["leaseKey"]["S"]: lease.get("leaseOwner", {}).get("S") for lease in leases}


def records_after(stage: Stage, at: Mapping[str, str]) -> int:
    """How many records of the stream are past these checkpoints."""
    return sum(
        _after(numbers, at.get(shard, "TRIM_HORIZON")) for shard, numbers in stream_numbers(stage).items()
    )


def wait_until_checkpointed(stage: Stage, *, records: int | None = None) -> None:
    """Until all of the stream is settled and checkpointed, by KCL's own table.

    For a stream that nobody writes to any more. `records` is how many it must hold at least by then: what
    faults delay comes later. A lease that is gone was its closed shard's.
    """
    if records is not None:
        wait_until(lambda: _count(stream_numbers(stage)) >= records, f"the stream holds {records} records")
    ends = {shard: numbers[-1] for shard, numbers in stream_numbers(stage).items() if numbers}
    closed = {
        shard
        for shard, description in shards_of(stage.aws.kinesis, stage.stream).items()
        if "EndingSequenceNumber" in description["SequenceNumberRange"]
    }

    def is_done() -> bool:
        at = checkpoints(stage)
        return all(at.get(shard, SHARD_END) == SHARD_END for shard in closed) and all(
            at.get(shard) == str(end) for shard, end in ends.items() if shard not in closed
        )

    assert eventually(is_done, within_seconds=PATIENCE_SECONDS), (
        f"not all is settled and checkpointed: shards end at {ends}, leases are at {checkpoints(stage)}"
    )


def scan(dynamodb: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """All items of a table."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [dict(item) for page in pages for item in page["Items"]]


def _count(numbers: Mapping[str, list[int]]) -> int:
    return sum(map(len, numbers.values()))


def _after(numbers: Iterable[int], checkpoint: str) -> int:
    if checkpoint == SHARD_END:
        return 0
    at = int(checkpoint) if checkpoint.isdecimal() else -1
    return sum(1 for number in numbers if number > at)
