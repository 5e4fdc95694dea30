from typing import Any

import msgspec
import pytest

from consumer.attributes import NO_IMAGE_DIGEST, digest
from consumer.errors import Rejected
from consumer.processors.aggregate.mapping import AggregateMapping, Counted, is_kept, settles_to
from consumer.processors.aggregate.sums import (
    from_texts,
    to_texts,
)
from consumer.processors.gate import Stamp
from consumer.record import ChangeRecord, EventName, Image, Version
from consumer.settings.model import Aggregate
from consumer.shard.envelopes import decode
from tests.support.changes import envelope, in_stream

KEYS = {"id": {"S": "a"}}
ID: Image = {"id": {"S": "a"}}
SALES: dict[str, Any] = {
    "group_by": {"day": "iso_date(new.at)"},
    "add": {"orders": "`1`", "revenue": "new.total"},
}
RESERVED_STOCK: dict[str, Any] = {
    "when": "new.status != 'CANCELLED'",
    "for_each": "new.items",
    "group_by": {"productId": "item.productId"},
    "add": {"reserved": "item.quantity"},
}
TIME_TO_LIVE = b'{"type":"Service","principalId":"dynamodb.amazonaws.com"}'


def mapping(**settings: object) -> AggregateMapping:
    given = {"store": {"dynamodb": {"table": "sums"}}, **SALES, **settings}
    return AggregateMapping(Aggregate.model_validate(given))


def change(event_name: EventName, *, new: Image | None = None, old: Image | None = None) -> ChangeRecord:
    return decode(in_stream(envelope(event_name, KEYS, 5, new=new, old=old)))


def expiry(old: Image | None, identity: bytes = TIME_TO_LIVE) -> ChangeRecord:
    return msgspec.structs.replace(change("REMOVE", old=old), user_identity=msgspec.Raw(identity))


def order(total: str = "12.50", at: str = "2026-11-21T10:00:00Z", **more: dict[str, object]) -> Image:
    return {**ID, "total": {"N": total}, "at": {"S": at}, **more}


def lines(*elements: tuple[str, str], status: str = "OPEN") -> Image:
    parts = [
        {"M": {"productId": {"S": product}, "quantity": {"N": quantity}}} for product, quantity in elements
    ]
    return {**ID, "items": {"L": parts}, "status": {"S": status}}


def texts(counted: Counted | None) -> dict[str, dict[str, str]]:
    assert counted is not None
    return to_texts(counted.sums)


DAY = '[["S","2026-11-21"]]'


def test_an_item_counts_in_its_group_what_its_expressions_give() -> None:
    counted = mapping().after(change("INSERT", new=order()))
    assert texts(counted) == {DAY: {"orders": "1", "revenue": "12.5"}}
    assert counted is not None
    assert (counted.digest, counted.is_gone) == (digest(order()), False)


def test_elements_of_one_group_are_added_and_sums_of_zero_are_left_out() -> None:
    new = lines(("p1", "2"), ("p2", "1.5"), ("p1", "3"), ("p3", "4"), ("p3", "-4"), ("p4", "0"))
    counted = mapping(**RESERVED_STOCK).after(change("INSERT", new=new))
    assert texts(counted) == {'[["S","p1"]]': {"reserved": "5"}, '[["S","p2"]]': {"reserved": "1.5"}}


def test_a_group_key_of_equal_numbers_is_one_group() -> None:
    by_number = mapping(for_each="new.l", group_by={"n": "item"}, add={"count": "`1`"})
    new: Image = {**ID, "l": {"L": [{"N": "1"}, {"N": "1.0"}, {"S": "1"}]}}
    assert texts(by_number.after(change("INSERT", new=new))) == {
        '[["N","1"]]': {"count": "2"},
        '[["S","1"]]': {"count": "1"},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"NULL": True}, {}, id="null"),
        pytest.param({"N": "0"}, {}, id="zero"),
        pytest.param({"N": "-0.00"}, {}, id="zero, spelled otherwise"),
        pytest.param({"N": "1E+2"}, {DAY: {"sum": "1E+2"}}, id="an exponent"),
        pytest.param({"N": "9" * 38}, {DAY: {"sum": "9" * 38}}, id="38 digits"),
        pytest.param({"N": "1E-130"}, {DAY: {"sum": "1E-130"}}, id="the smallest"),
        pytest.param({"N": "9E125"}, {DAY: {"sum": "9E+125"}}, id="the largest"),
    ],
)
def test_a_number_is_counted_exactly_and_null_as_zero(
    value: dict[str, object], expected: dict[str, dict[str, str]]
) -> None:
    counted = mapping(add={"sum": "new.n"}).after(change("INSERT", new=order(n=value)))
    assert texts(counted) == expected


def test_a_missing_number_is_zero() -> None:
    counted = mapping(add={"sum": "new.missing"}).after(change("INSERT", new=order()))
    assert texts(counted) == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"S": "12"}, "a text"),
        ({"BOOL": True}, "true or false"),
        ({"B": "AA=="}, "binary"),
        ({"L": []}, "a list"),
        ({"M": {}}, "a map"),
        ({"N": "NaN"}, "NaN"),
    ],
)
def test_what_is_no_number_is_the_records_fault(value: dict[str, object], words: str) -> None:
    with pytest.raises(Rejected, match=f"the sum sum takes numbers; `new.n` gives {words}") as rejected:
        mapping(add={"sum": "new.n"}).after(change("INSERT", new=order(n=value)))
    assert rejected.value.code == "NotANumber"


@pytest.mark.parametrize("part", [{"NULL": True}, {"S": ""}])
def test_an_element_without_a_group_is_the_records_fault(part: dict[str, object]) -> None:
    new: Image = {**ID, "items": {"L": [{"M": {"productId": part, "quantity": {"N": "1"}}}]}}
    with pytest.raises(Rejected) as rejected:
        mapping(**RESERVED_STOCK).after(change("INSERT", new=new))
    assert rejected.value.code == "KeyIsNull"


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param(["9" * 38, "0.1"], id="39 digits together"),
        pytest.param(["1E100", "1E-100"], id="far apart"),
        pytest.param(["9E125", "9E125"], id="too large together"),
    ],
)
def test_a_sum_no_store_can_hold_is_the_records_fault_by_group_and_name(elements: list[str]) -> None:
    new = lines(*(("p", text) for text in elements))
    with pytest.raises(Rejected, match=r'the sum reserved of group \[\["S","p"\]\]') as rejected:
        mapping(**RESERVED_STOCK).after(change("INSERT", new=new))
    assert (rejected.value.code, rejected.value.by_store) == ("SumOutOfRange", False)


@pytest.mark.parametrize("literal", ["`1e5000`", f"`1{'0' * 650}1`"])
def test_a_number_beyond_all_bounds_is_the_records_fault_too(literal: str) -> None:
    with pytest.raises(Rejected) as rejected:
        mapping(add={"sum": literal}).after(change("INSERT", new=order()))
    assert rejected.value.code == "SumOutOfRange"


def test_parts_of_many_digits_that_add_up_to_few_are_counted() -> None:
    counted = mapping(**RESERVED_STOCK).after(
        change("INSERT", new=lines(("p", "9" * 38), ("p", "0.1"), ("p", "-" + "9" * 38)))
    )
    assert texts(counted) == {'[["S","p"]]': {"reserved": "0.1"}}


GOLD, TIN = order(tier={"S": "gold"}), order(tier={"S": "tin"})
COUNTED = {DAY: {"orders": "1", "revenue": "12.5"}}


@pytest.mark.parametrize(
    ("event_name", "old", "new", "expected"),
    [
        pytest.param("INSERT", None, GOLD, COUNTED, id="comes in with its insert"),
        pytest.param("INSERT", None, TIN, None, id="an insert that stays outside"),
        pytest.param("MODIFY", TIN, GOLD, COUNTED, id="comes in"),
        pytest.param("MODIFY", GOLD, TIN, {}, id="leaves"),
        pytest.param("MODIFY", TIN, TIN, None, id="stays outside"),
        pytest.param("MODIFY", None, TIN, {}, id="outside, nobody knows whether it left"),
        pytest.param("REMOVE", GOLD, None, {}, id="deleted"),
        pytest.param("REMOVE", TIN, None, None, id="deleted outside"),
    ],
)
def test_membership_decides_what_a_change_counts(
    event_name: EventName, old: Image | None, new: Image | None, expected: dict[str, dict[str, str]] | None
) -> None:
    counted = mapping(when="new.tier == 'gold'").after(change(event_name, new=new, old=old))
    assert (None if counted is None else texts(counted)) == expected
    assert counted is None or (counted.digest == NO_IMAGE_DIGEST) is (expected == {})


@pytest.mark.parametrize("on_expiry", [None, "remove"])
def test_an_expiry_takes_back_what_was_counted_unless_it_is_kept(on_expiry: str | None) -> None:
    counted = mapping(on_expiry=on_expiry).after(expiry(order()))
    assert counted == Counted(NO_IMAGE_DIGEST, {})


def test_an_expiry_that_is_kept_counts_what_its_old_image_counted() -> None:
    counted = mapping(on_expiry="keep").after(expiry(order()))
    assert texts(counted) == COUNTED
    assert counted is not None
    assert is_kept(counted.digest)
    assert digest(order()) in counted.digest


def test_a_delete_by_a_user_takes_back_what_was_counted_even_where_expiries_are_kept() -> None:
    counted = mapping(on_expiry="keep").after(change("REMOVE", old=order()))
    assert counted == Counted(NO_IMAGE_DIGEST, {})


def test_an_expiry_of_an_item_outside_is_none_of_its_business() -> None:
    assert mapping(on_expiry="keep", when="new.tier == 'gold'").after(expiry(TIN)) is None


def test_an_expiry_that_counted_nothing_leaves_nothing_to_keep() -> None:
    counted = mapping(on_expiry="keep", add={"sum": "new.missing"}).after(expiry(order()))
    assert counted == Counted(NO_IMAGE_DIGEST, {})


def test_an_expiry_without_its_old_image_can_keep_nothing() -> None:
    with pytest.raises(Rejected) as rejected:
        mapping(on_expiry="keep").after(expiry(None))
    assert rejected.value.code == "NoImage"


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (TIME_TO_LIVE, True),
        (b'{"Type":"Service","PrincipalId":"dynamodb.amazonaws.com"}', True),
        (b'{"type":"Service","principalId":"somebody.amazonaws.com"}', False),
        (b'{"type":"User","principalId":"dynamodb.amazonaws.com"}', False),
        (b'{"type":"Service"}', False),
        (b'"dynamodb.amazonaws.com"', False),
        (b"", False),
    ],
)
def test_a_delete_by_dynamodb_itself_is_an_expiry(identity: bytes, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert expiry(order(), identity).is_expiry is expected


def test_only_a_delete_is_an_expiry() -> None:
    written = msgspec.structs.replace(change("MODIFY", new=order()), user_identity=msgspec.Raw(TIME_TO_LIVE))
    assert not written.is_expiry


def test_an_item_that_the_source_has_counts_by_what_the_source_says() -> None:
    counted = mapping(on_expiry="keep").holding(expiry(order()), order(total="7"))
    assert (counted.digest, texts(counted)[DAY]["revenue"]) == (digest(order(total="7")), "7")


def test_an_item_that_the_source_has_outside_counts_nothing() -> None:
    counted = mapping(when="new.tier == 'gold'").holding(change("MODIFY", new=GOLD), TIN)
    assert counted == Counted(NO_IMAGE_DIGEST, {})


def test_an_item_that_the_source_lacks_counts_nothing() -> None:
    counted = mapping(on_expiry="remove").holding(change("MODIFY", new=order()), None)
    assert counted == Counted(NO_IMAGE_DIGEST, {})


def test_an_expiry_whose_item_the_source_lacks_counts_what_its_old_image_counted() -> None:
    keeping = mapping(on_expiry="keep")
    assert keeping.holding(expiry(order()), None) == keeping.after(expiry(order()))


OVER_EXPIRED = Stamp(Version(5), "~0123")
HELD = from_texts({DAY: {"orders": "1"}})


def test_a_tie_with_what_an_expiry_left_leaves_it_where_the_source_lacks_the_item() -> None:
    gone = mapping(on_expiry="keep").holding(change("MODIFY", new=order()), None)
    assert settles_to(OVER_EXPIRED, gone, HELD) == Counted("~0123", HELD)


@pytest.mark.parametrize(
    ("over", "event", "image"),
    [
        pytest.param(Stamp(Version(5), "0123"), change("MODIFY", new=order()), None, id="not by an expiry"),
        pytest.param(OVER_EXPIRED, change("MODIFY", new=order()), order(), id="the item is there again"),
        pytest.param(OVER_EXPIRED, change("MODIFY", new=order()), TIN, id="it is there again, but outside"),
        pytest.param(OVER_EXPIRED, expiry(order()), None, id="the expiry itself"),
    ],
)
def test_any_other_tie_ends_with_what_is_to_be_counted(
    over: Stamp, event: ChangeRecord, image: Image | None
) -> None:
    keeping = mapping(on_expiry="keep", when="new.tier != 'tin'")
    desired = keeping.holding(event, image)
    assert settles_to(over, desired, HELD) == desired
