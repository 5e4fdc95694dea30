"""A change as patterns see it: the record as it came."""

from pathlib import Path

import pytest

from consumer.filters.pattern import Filter, Pattern
from consumer.filters.records import event_of, event_of_keys, passes
from consumer.record import ChangeRecord
from consumer.shard.envelopes import decode
from tests.support.changes import envelope, in_stream

EVENTS = Path(__file__).parents[2] / "events"


def recorded(name: str) -> ChangeRecord:
    return decode(in_stream((EVENTS / f"kinesis_{name}.json").read_bytes()))


def test_a_record_is_matched_as_it_came() -> None:
    event = event_of(recorded("remove_by_ttl"))

    assert event is not None
    assert event["eventName"] == "REMOVE"
    assert event["tableName"] == "orders"
    assert Pattern('{"userIdentity":{"principalId":["dynamodb.amazonaws.com"]}}').matches(event)


@pytest.mark.parametrize("image", ["{}", "null", None])
def test_an_image_that_is_empty_or_null_is_not_there(image: str | None) -> None:
    new = "" if image is None else f',"NewImage":{image}'
    data = (
        '{"eventName":"REMOVE","tableName":"orders","userIdentity":null,"dynamodb":'
        '{"ApproximateCreationDateTime":1714564800123456,"Keys":{"id":{"S":"a"}},'
        f'"OldImage":{{"id":{{"S":"a"}}}}{new}}}}}'
    )
    event = event_of(decode(in_stream(data.encode())))

    assert event is not None
    assert Pattern('{"dynamodb":{"NewImage":[{"exists":false}]}}').matches(event)
    assert Pattern('{"dynamodb":{"OldImage":{"id":{"S":["a"]}}}}').matches(event)
    assert not Pattern('{"dynamodb":{"NewImage":[null]}}').matches(event)
    assert Pattern('{"userIdentity":[null]}').matches(event)


def test_the_keys_and_the_table_are_the_same_from_the_change_and_from_the_record() -> None:
    change = recorded("insert_composite_key")
    whole = event_of(change)
    assert whole is not None
    dynamodb = whole["dynamodb"]
    assert isinstance(dynamodb, dict)

    of_keys = event_of_keys(change)

    assert of_keys == {"tableName": whole["tableName"], "dynamodb": {"Keys": dynamodb["Keys"]}}


def test_a_record_that_nobody_can_read_whole_is_no_event() -> None:
    data = (
        '{"eventName":"INSERT","tableName":"orders","dynamodb":'
        '{"ApproximateCreationDateTime":1714564800123456,"Keys":{"id":{"S":"a"}},"SizeBytes":'
        + "1" * 5_000
        + "}}"
    )

    assert event_of(decode(in_stream(data.encode()))) is None


def test_an_event_nested_too_deeply_to_be_judged_is_not_left_out() -> None:
    deep = b'{"L":' + b"[" * 900 + b"]" * 900 + b"}"
    data = envelope("INSERT", {"id": {"S": "a"}}, 1, new={"status": {"S": "NEW"}})
    change = decode(in_stream(data.replace(b'{"S":"NEW"}', deep)))
    listed = Filter([Pattern('{"dynamodb":{"NewImage":{"status":{"L":["PAID"]}}}}')])

    assert passes(listed, change)
