"""What happens to an item in the table happens to its rows: the whole image, and one made of paths."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.process import SandboxProcess
from tests.end_to_end.harness import Service
from tests.end_to_end.stage import KEY, TTL_ATTRIBUTE, VIEW, Stage, set_stage
from tests.end_to_end.truth import comparable, read_model, source, stream_records
from tests.integration.conftest import Aws

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

PATHS = "paths"
HOUR = 3600
DIGITS_38 = "12345678901234567890123456789012345678"

TEN_TYPES: "dict[str, AttributeValueTypeDef]" = {
    "text": {"S": 'quoted "\\" 漢字 🫖 \u0000 \u2028'},
    "empty_text": {"S": ""},
    "number": {"N": DIGITS_38},
    "fraction": {"N": f"-0.{DIGITS_38}"},
    "largest": {"N": "9" * 38 + "0" * 88},
    "smallest": {"N": "0." + "0" * 129 + "1"},
    "binary": {"B": bytes(range(256))},
    "empty_binary": {"B": b""},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "list": {"L": [{"N": DIGITS_38}, {"NULL": True}, {"L": []}, {"M": {}}, {"S": ""}]},
    "map": {"M": {"nothing": {"NULL": True}, "deep": {"M": {"list": {"L": [{"M": {"N": {"N": "1"}}}]}}}}},
    "texts": {"SS": ["b", "", "a"]},
    "numbers": {"NS": [DIGITS_38, "-1", "0"]},
    "binaries": {"BS": [b"\xff\x00", b"\x00"]},
}
COMPUTED: "dict[str, AttributeValueTypeDef]" = {
    "deep_list": {"L": [{"M": {"N": {"N": "1"}}}]},
    "first": {"N": DIGITS_38},
}
FIELDS = {
    **{name: f"new.{name}" for name in TEN_TYPES},
    "deep_list": "new.map.deep.list",
    "first": "new.list[0]",
    "note": "new.note",
}


@pytest.fixture(scope="module")
def stage(sandbox: SandboxProcess, aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = set_stage(sandbox, aws, tmp_path_factory.mktemp("changes"), expires=True)
    stage.add_view(PATHS)
    return stage


@pytest.fixture(scope="module")
def service(stage: Stage) -> Iterator[Service]:
    processors = stage.projection(VIEW), stage.projection(PATHS, fields=FIELDS)
    with Service(stage, stage.write_settings(*processors)) as service:
        service.wait_until_at_work()
        yield service


def rows(stage: Stage, key: str) -> list[dict[str, Any] | None]:
    """The item's row in each of the two read models."""
    found = [read_model(stage, stage.view_named(view)).rows.get(key) for view in (VIEW, PATHS)]
    return [comparable(row) for row in found]


def wait_for_rows(service: Service, stage: Stage, key: str, row: "dict[str, AttributeValueTypeDef]") -> None:
    expected = comparable({KEY: {"S": key}, **row})
    service.wait_until(lambda: rows(stage, key) == [expected, expected], f"both rows of {key} are {row}")


def wait_for_tombstones(service: Service, stage: Stage, key: str) -> None:
    service.wait_until(
        lambda: all(key in read_model(stage, stage.view_named(view)).tombstones for view in (VIEW, PATHS)),
        f"the rows of {key} are gone",
    )


def test_an_insert_an_update_and_a_delete_reach_the_read_model(service: Service, stage: Stage) -> None:
    key: dict[str, AttributeValueTypeDef] = {KEY: {"S": "changing"}}
    dynamodb = stage.aws.dynamodb

    dynamodb.put_item(TableName=stage.table, Item={**key, "note": {"S": "first"}, "text": {"S": "stays"}})
    wait_for_rows(service, stage, "changing", {"note": {"S": "first"}, "text": {"S": "stays"}})
    dynamodb.update_item(
        TableName=stage.table,
        Key=key,
        UpdateExpression="SET note = :second REMOVE #text",
        ExpressionAttributeNames={"#text": "text"},
        ExpressionAttributeValues={":second": {"S": "second"}},
    )
    wait_for_rows(service, stage, "changing", {"note": {"S": "second"}})
    dynamodb.delete_item(TableName=stage.table, Key=key)
    wait_for_tombstones(service, stage, "changing")
    dynamodb.put_item(TableName=stage.table, Item={**key, "note": {"S": "anew"}})
    wait_for_rows(service, stage, "changing", {"note": {"S": "anew"}})


def test_an_item_that_expires_leaves_the_read_model(service: Service, stage: Stage) -> None:
    key: dict[str, AttributeValueTypeDef] = {KEY: {"S": "expiring"}}
    dynamodb = stage.aws.dynamodb
    dynamodb.put_item(TableName=stage.table, Item={**key, TTL_ATTRIBUTE: epoch(HOUR)})
    service.wait_until(lambda: all(rows(stage, "expiring")), "the item is in both read models")

    dynamodb.update_item(
        TableName=stage.table,
        Key=key,
        UpdateExpression="SET expiresAt = :now",
        ExpressionAttributeValues={":now": epoch(-1)},
    )
    wait_for_tombstones(service, stage, "expiring")

    assert [(change["eventName"], change["userIdentity"]) for change in changes_of(stage, "expiring")] == [
        ("INSERT", None),
        ("MODIFY", None),
        ("REMOVE", {"type": "Service", "principalId": "dynamodb.amazonaws.com"}),
    ]


def test_all_ten_attribute_types_come_out_exactly_as_they_went_in(service: Service, stage: Stage) -> None:
    item: dict[str, AttributeValueTypeDef] = {KEY: {"S": "ten-types"}, **TEN_TYPES}
    stage.aws.dynamodb.put_item(TableName=stage.table, Item=item)
    service.wait_until(lambda: all(rows(stage, "ten-types")), "the item is in both read models")

    assert comparable(source(stage)["ten-types"]) == comparable(item)
    whole, of_paths = rows(stage, "ten-types")
    assert whole == comparable(item)
    assert of_paths == comparable({**item, **COMPUTED})


def epoch(seconds_from_now: int) -> "AttributeValueTypeDef":
    return {"N": str(int(time.time()) + seconds_from_now)}


def changes_of(stage: Stage, key: str) -> list[dict[str, Any]]:
    """The item's change records, in the stream's order."""
    records = [json.loads(record["Data"]) for shard in stream_records(stage).values() for record in shard]
    return [record for record in records if record["dynamodb"]["Keys"] == {KEY: {"S": key}}]
