"""Every record delivered twice and out of order, on a fine clock and on one that many writes share."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sandbox.faults.fault import Fault
from sandbox.process import SandboxProcess
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, Stage, set_stage
from tests.end_to_end.truth import (
    assert_read_model_equals_source,
    read_model,
    stream_records,
    wait_until_checkpointed,
)
from tests.integration.conftest import Aws
from tests.integration.streams import Precision

RATE = 100
FEW_ITEMS = 20
"""So few that each is written several times within a tick of the coarse clock."""

LATE_SHARE, LATE_SECONDS = 0.3, 1.0
TURNS = 3
BACK_AGAIN = tuple(f"back-again-{turn}" for turn in range(TURNS))
GONE_AGAIN = tuple(f"gone-again-{turn}" for turn in range(TURNS))
WRITES_A_TURN = 7


@pytest.mark.parametrize(
    ("precision", "tick_seconds"), [("MICROSECOND", 0.0), ("MILLISECOND", 1.0)], ids=["fine", "coarse"]
)
def test_the_read_model_is_exact_whatever_comes_twice_out_of_order_or_with_one_stamp(
    sandbox: SandboxProcess, aws: Aws, tmp_path: Path, precision: Precision, tick_seconds: float
) -> None:
    stage = set_stage(sandbox, aws, tmp_path, precision=precision)
    shop = Shop(stage, items=FEW_ITEMS)
    with Service(stage) as service:
        service.wait_until_at_work()
        with sandbox.faults.applied(*disorder(stage, tick_seconds)) as (*_, late):
            with shop.writing(RATE):
                for turn in range(TURNS):
                    insert_remove_and_insert(stage, turn)
                    service.wait_until_settled(4 * RATE * (turn + 1))
            repeats = sandbox.faults.strikes(late)
        wait_until_checkpointed(stage, records=2 * (shop.written + TURNS * WRITES_A_TURN) + repeats)

        assert_read_model_equals_source(stage)
        model = read_model(stage)
        assert set(BACK_AGAIN) <= model.rows.keys()
        assert set(GONE_AGAIN) <= model.tombstones
        changes = changes_by_item(stage)
        times_seen = Counter(change["eventID"] for of_item in changes.values() for change in of_item)
        assert set(times_seen.values()) == {2, 3}
        assert any(is_out_of_order(of_item) for of_item in changes.values())
        lived_twice_in_a_tick = any(lives_in_a_tick(changes[item]) == 2 for item in BACK_AGAIN)
        assert lived_twice_in_a_tick == (tick_seconds > 0)
        ties = service.metrics().total("tidemark_version_ties_total")
        assert (ties > 0) == (tick_seconds > 0)


def disorder(stage: Stage, tick_seconds: float) -> list[Fault]:
    """What strikes all records into the stage's stream, and last what some come late by once more.

    In time, a repeat puts right again what went wrong; late, what is long over comes back. A tick of 0 leaves
    the clock as it is.
    """
    return [
        Fault("duplicate", "kinesis", resource=stage.stream),
        Fault("swap", "kinesis", resource=stage.stream),
        Fault("coarse_clock", "kinesis", resource=stage.stream, delay_seconds=tick_seconds),
        Fault("duplicate", "kinesis", resource=stage.stream, rate=LATE_SHARE, delay_seconds=LATE_SECONDS),
    ]


def insert_remove_and_insert(stage: Stage, turn: int) -> None:
    """Two items live twice in one breath; one of them dies twice."""
    dynamodb, table = stage.aws.dynamodb, stage.table
    for item in (BACK_AGAIN[turn], GONE_AGAIN[turn]):
        dynamodb.put_item(TableName=table, Item={KEY: {"S": item}, "life": {"N": "1"}})
        dynamodb.delete_item(TableName=table, Key={KEY: {"S": item}})
        dynamodb.put_item(TableName=table, Item={KEY: {"S": item}, "life": {"N": "2"}})
    dynamodb.delete_item(TableName=table, Key={KEY: {"S": GONE_AGAIN[turn]}})


def changes_by_item(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """The change records there are, in the order of the stream."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for records in stream_records(stage).values():
        for record in records:
            change = json.loads(record["Data"])
            found[change["dynamodb"]["Keys"][KEY]["S"]].append(change)
    return found


def is_out_of_order(changes: Iterable[dict[str, Any]]) -> bool:
    return any(later < earlier for earlier, later in pairwise(map(stamp, changes)))


def lives_in_a_tick(changes: Iterable[dict[str, Any]]) -> int:
    """The most inserts of an item, each told once, that have one stamp with a delete."""
    by_stamp: dict[int, dict[str, str]] = defaultdict(dict)
    for change in changes:
        by_stamp[stamp(change)][change["eventID"]] = change["eventName"]
    counts = [Counter(names.values()) for names in by_stamp.values()]
    return max((count["INSERT"] for count in counts if count["REMOVE"]), default=0)


def stamp(change: dict[str, Any]) -> int:
    created: int = change["dynamodb"]["ApproximateCreationDateTime"]
    return created
