from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from consumer.attributes import decode_image
from consumer.errors import Undecodable
from consumer.record import ChangeRecord, Granularity
from consumer.shard.deadletter.letter import DeadLetter, encode, from_document, to_document
from consumer.shard.envelopes import decode
from tests.support.changes import in_stream
from tests.support.letters import NOW, ORIGIN

EVENTS = Path(__file__).parents[2] / "events"
DIGITS_38 = "12345678901234567890123456789012345678"
PLACED = {"orderId": {"S": "o-1"}, "total": {"N": DIGITS_38}, "status": {"S": "PLACED"}}
NEW = {"orderId": {"S": "o-1"}, "total": {"N": "0.10"}, "status": {"S": "NEW"}}


def decoded(data: bytes) -> ChangeRecord:
    return decode(in_stream(data))


def recorded(name: str) -> ChangeRecord:
    return decoded((EVENTS / f"kinesis_{name}.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "micros", "granularity"),
    [
        ("insert_microsecond", 1714564800123456, Granularity.MICROSECOND),
        ("modify_millisecond", 1714564800123000, Granularity.MILLISECOND),
        ("modify_2021_without_precision", 1638316800123000, Granularity.MILLISECOND),
        ("insert_16_digits_without_precision", 1714564800123456, Granularity.MICROSECOND),
        ("insert_10_digits_without_precision", 1638316800000000, Granularity.SECOND),
    ],
)
def test_the_clock_is_told_by_the_precision_field_or_else_by_the_number_of_digits(
    name: str, micros: int, granularity: Granularity
) -> None:
    change = recorded(name)
    assert (change.micros, change.granularity) == (micros, granularity)
    assert (change.version.micros, change.version.granularity) == (micros, granularity)


def test_an_envelope_says_what_happened_to_which_item_of_which_table() -> None:
    change = recorded("modify_millisecond")
    assert (change.event_name, change.table, change.keys) == ("MODIFY", "orders", {"orderId": {"S": "o-1"}})
    assert decode_image(change.new_image) == PLACED
    assert decode_image(change.old_image) == NEW


def test_the_order_of_fields_and_fields_of_a_later_time_make_no_difference() -> None:
    change = recorded("modify_reordered_with_unknown_fields")
    assert (change.event_name, change.micros, change.item) == ("MODIFY", 1714564800123456, "o-1")
    assert (decode_image(change.new_image), decode_image(change.old_image)) == (PLACED, NEW)


def test_a_ttl_delete_tells_who_deleted() -> None:
    change = recorded("remove_by_ttl")
    assert (change.event_name, len(change.new_image)) == ("REMOVE", 0)
    assert orjson.loads(memoryview(change.user_identity)) == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }


def test_an_empty_image_is_no_image() -> None:
    assert len(recorded("remove_with_empty_new_image").new_image) == 0


def test_an_insert_has_no_old_image_and_a_users_write_no_identity() -> None:
    change = recorded("insert_microsecond")
    assert (len(change.old_image), len(change.user_identity)) == (0, 0)


def test_the_images_are_the_very_bytes_that_came() -> None:
    image = b'{"id": {"S":"a"},   "n":{"N":"1E400"}, "dup":{"S":"x"}}'
    data = (
        b'{"eventName":"INSERT","tableName":"t","dynamodb":{"ApproximateCreationDateTime":1714564800123456,'
        b'"Keys":{"id":{"S":"a"}},"NewImage":' + image + b"}}"
    )
    assert bytes(decoded(data).new_image) == image


def envelope(keys: Mapping[str, object], **changed: object) -> bytes:
    change = {"ApproximateCreationDateTime": 1714564800123456, "Keys": keys, **changed}
    return orjson.dumps({"eventName": "INSERT", "tableName": "orders", "dynamodb": change})


def test_items_are_told_apart_by_all_their_keys_whatever_the_order_they_come_in() -> None:
    items = [
        decoded(envelope({"a": {"S": one}, "b": {"S": other}})).item
        for one, other in [("x", "yz"), ("xy", "z"), ("", "xyz"), ("xyz", ""), ("1:x", ""), ("", "1:x")]
    ]
    assert len(set(items)) == len(items)
    turned = decoded(envelope({"b": {"S": "yz"}, "a": {"S": "x"}})).item
    assert turned == items[0]


def test_a_composite_key_of_several_types_is_taken() -> None:
    change = recorded("insert_composite_key")
    assert change.keys == {"customer": {"S": "c:1"}, "number": {"N": "7"}}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="text"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b'{"eventName": "INS\xff"}', id="no UTF-8 in a name"),
        pytest.param(b'{"eventName": "INSERT"', id="cut off"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b'{"a":' * 100_000, id="nested without end"),
        pytest.param(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, id="nested very deep"),
        pytest.param(b'{"orderId": 1, "total": 12.5}', id="somebody else's record"),
        pytest.param(envelope({"id": {"S": "a"}}).replace(b"INSERT", b"UPSERT"), id="unknown event"),
        pytest.param(envelope({"id": {"S": "a"}}).replace(b'"tableName"', b'"table"'), id="no table"),
        pytest.param(envelope({"id": {"N": 12}}), id="a key that is a JSON number"),
        pytest.param(envelope({"id": {"S": None}}), id="a key that is null"),
        pytest.param(envelope({"id": {}}), id="a key without a value"),
        pytest.param(envelope({"id": {"S": "a", "N": "1"}}), id="a key of two types"),
        pytest.param(envelope({"id": {"S": "a"}, "b": {}}), id="half a composite key"),
        pytest.param(envelope({"id": {"S": "a"}}, ApproximateCreationDateTime=1.7e15), id="a float time"),
        pytest.param(envelope({"id": {"S": "a"}}, ApproximateCreationDateTime="now"), id="a time as text"),
        pytest.param(envelope({"id": {"S": "a"}}, ApproximateCreationDateTime=None), id="no time"),
    ],
)
def test_bytes_that_are_no_change_record_are_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable) as undecodable:
        decoded(data)
    assert undecodable.value.code == "NotAnEnvelope"


@pytest.mark.parametrize("precision", ["MICROSECOND", "MILLISECOND", None])
@pytest.mark.parametrize("time", [-1, 253_402_300_800_000_000, 10**40])
def test_a_time_that_no_clock_tells_is_undecodable_and_its_letter_can_be_written(
    time: int, precision: str | None
) -> None:
    data = envelope({"id": {"S": "a"}}, ApproximateCreationDateTimePrecision=precision)
    record = in_stream(data.replace(b"1714564800123456", str(time).encode()))
    with pytest.raises(Undecodable, match=f"ApproximateCreationDateTime is {time}") as undecodable:
        decode(record)
    assert undecodable.value.code == "UnknownTime"
    document = to_document(DeadLetter(None, record, undecodable.value, 1), ORIGIN, NOW)
    assert from_document(encode(document)).record == record


def test_the_last_microsecond_of_the_year_9999_is_a_time() -> None:
    last = 253_402_300_799_999_999
    assert decoded(envelope({"id": {"S": "a"}}, ApproximateCreationDateTime=last)).micros == last


def test_a_change_without_keys_is_undecodable() -> None:
    with pytest.raises(Undecodable) as undecodable:
        decoded(envelope({}))
    assert undecodable.value.code == "KeysMissing"
    with pytest.raises(Undecodable, match="Keys"):
        decoded(envelope({}).replace(b'"Keys"', b'"Kees"'))


def test_a_clock_nobody_knows_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="NANOSECOND") as undecodable:
        decoded(envelope({"id": {"S": "a"}}, ApproximateCreationDateTimePrecision="NANOSECOND"))
    assert undecodable.value.code == "UnknownPrecision"


def test_a_time_of_many_digits_is_exact() -> None:
    change = decoded(
        envelope({"id": {"S": "a"}}).replace(b"1714564800123456", b"9007199254740993")  # 2**53 + 1
    )
    assert change.micros == 9007199254740993
