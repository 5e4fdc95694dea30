import itertools
from typing import cast

import pytest

from consumer.attributes import NO_IMAGE_DIGEST, digest
from consumer.errors import Rejected, SettingsError
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.record import ChangeRecord, EventName, Image
from consumer.settings.model import Projection
from consumer.settings.stores import DynamoDBTable, Store
from consumer.shard.envelopes import decode
from consumer.shard.lanes.coalescing import coalesce
from tests.support.changes import envelope, in_stream

KEYS = {"id": {"S": "a"}}


def mapping(
    *, key: dict[str, str] | None = None, fields: dict[str, str] | None = None, when: str | None = None
) -> ProjectionMapping:
    store = Store(dynamodb=DynamoDBTable(table="view"))
    return ProjectionMapping(Projection(store=store, key=key or {"id": "keys.id"}, fields=fields, when=when))


def change(event_name: EventName, *, new: Image | None = None, old: Image | None = None) -> ChangeRecord:
    return decode(in_stream(envelope(event_name, KEYS, 5, new=new, old=old)))


def item(**attributes: dict[str, object]) -> Image:
    return {"id": {"S": "a"}, **attributes}


def as_tuple(desired: Desired | None) -> tuple[Image, Image | None, str] | None:
    if desired is None:
        return None
    if not desired.rows:
        (key,) = desired.leaves
        return key, None, desired.digest
    (row,) = desired.rows
    return row.key, row_of(desired), desired.digest


def row_of(desired: Desired) -> Image:
    (row,) = desired.rows
    return {**cast("Image", row.fields), **row.key}


INSIDE = item(tier={"S": "gold"})
OUTSIDE = item(tier={"S": "tin"})
WHEN = "new.tier == 'gold'"
ROW = (KEYS, INSIDE, digest(INSIDE))
TOMBSTONE = (KEYS, None, NO_IMAGE_DIGEST)


@pytest.mark.parametrize(
    ("event_name", "old", "new", "expected"),
    [
        pytest.param("INSERT", None, INSIDE, ROW, id="comes in with its insert"),
        pytest.param("INSERT", None, OUTSIDE, None, id="an insert that stays outside"),
        pytest.param("INSERT", OUTSIDE, INSIDE, ROW, id="an insert with an old image comes in"),
        pytest.param("MODIFY", OUTSIDE, INSIDE, ROW, id="comes in"),
        pytest.param("MODIFY", INSIDE, INSIDE, ROW, id="stays in"),
        pytest.param("MODIFY", INSIDE, OUTSIDE, TOMBSTONE, id="leaves"),
        pytest.param("MODIFY", OUTSIDE, OUTSIDE, None, id="stays outside"),
        pytest.param("MODIFY", None, INSIDE, ROW, id="comes in, nobody knows from where"),
        pytest.param("MODIFY", None, OUTSIDE, TOMBSTONE, id="outside, nobody knows whether it left"),
        pytest.param("REMOVE", INSIDE, None, TOMBSTONE, id="deleted"),
        pytest.param("REMOVE", OUTSIDE, None, None, id="deleted outside"),
        pytest.param("REMOVE", None, None, TOMBSTONE, id="deleted, nobody knows from where"),
        pytest.param("REMOVE", INSIDE, INSIDE, TOMBSTONE, id="deleted, whatever the new image says"),
    ],
)
def test_membership_decides_what_a_change_asks_for(
    event_name: EventName,
    old: Image | None,
    new: Image | None,
    expected: tuple[Image, Image | None, str] | None,
) -> None:
    assert as_tuple(mapping(when=WHEN).after(change(event_name, new=new, old=old))) == expected


@pytest.mark.parametrize(
    ("event_name", "old"), list(itertools.product(["INSERT", "MODIFY"], [None, INSIDE, OUTSIDE]))
)
def test_without_a_condition_every_image_is_a_row(event_name: EventName, old: Image | None) -> None:
    desired = mapping().after(change(event_name, new=OUTSIDE, old=old))
    assert as_tuple(desired) == (KEYS, OUTSIDE, digest(OUTSIDE))


@pytest.mark.parametrize("old", [None, INSIDE, OUTSIDE])
def test_without_a_condition_every_delete_is_a_tombstone(old: Image | None) -> None:
    assert as_tuple(mapping().after(change("REMOVE", old=old))) == TOMBSTONE


@pytest.mark.parametrize("event_name", ["INSERT", "MODIFY"])
@pytest.mark.parametrize("new", [None, {}])
def test_a_write_without_its_new_image_is_rejected_and_never_taken_for_a_delete(
    event_name: EventName, new: Image | None
) -> None:
    with pytest.raises(Rejected) as rejected:
        mapping().after(change(event_name, new=new, old=INSIDE))
    assert rejected.value.code == "NoImage"


@pytest.mark.parametrize(
    ("value", "is_member"),
    [
        ({"BOOL": True}, True),
        ({"BOOL": False}, False),
        ({"NULL": True}, False),
        ({"S": ""}, False),
        ({"S": "x"}, True),
        ({"N": "0"}, True),
        ({"B": ""}, True),
        ({"L": []}, False),
        ({"M": {}}, False),
        ({"L": [{"NULL": True}]}, True),
        ({"M": {"a": {"NULL": True}}}, True),
    ],
)
def test_a_condition_holds_by_jmespaths_own_idea_of_truth(value: dict[str, object], is_member: bool) -> None:  # noqa: FBT001 - a column of the table
    desired = mapping(when="new.flag").after(change("INSERT", new=item(flag=value)))
    assert (desired is not None) is is_member


@pytest.mark.parametrize(
    ("event_name", "new"),
    [pytest.param("REMOVE", None, id="deleted"), pytest.param("MODIFY", item(name={"S": "b"}), id="left")],
)
def test_an_old_image_that_nobody_can_judge_never_keeps_a_row_from_its_delete(
    event_name: EventName, new: Image | None
) -> None:
    unjudgeable = item(name={"N": "1"})  # a number begins with nothing: the expression fails
    after = mapping(when="starts_with(new.name, 'a')").after(change(event_name, new=new, old=unjudgeable))
    assert as_tuple(after) == TOMBSTONE


def test_a_condition_sees_the_keys_and_only_the_image_it_is_asked_about() -> None:
    by_key = mapping(when="keys.id == 'a' && new.id == keys.id && old == `null`")
    assert by_key.after(change("MODIFY", new=INSIDE, old=OUTSIDE)) is not None


def test_a_field_given_by_its_path_keeps_its_exact_type_and_spelling() -> None:
    new = item(
        n={"N": "1.500"},
        s={"NS": ["2", "1"]},
        b={"BS": ["AA=="]},
        m={"M": {"x": {"N": "12345678901234567890123456789012345678"}}},
        nothing={"NULL": True},
    )
    fields = {
        "n": "new.n",
        "s": "new.s",
        "b": "new.b",
        "x": "new.m.x",
        "who": "keys.id",
        "nothing": "new.nothing",
    }
    desired = mapping(fields=fields).after(change("INSERT", new=new))
    assert desired is not None
    assert row_of(desired) == {
        "id": {"S": "a"},
        "n": {"N": "1.500"},
        "s": {"NS": ["2", "1"]},
        "b": {"BS": ["AA=="]},
        "x": {"N": "12345678901234567890123456789012345678"},
        "who": {"S": "a"},
        "nothing": {"NULL": True},
    }


def test_a_computed_field_becomes_a_value_and_nothing_is_left_out() -> None:
    new = item(prices={"L": [{"N": "0.1"}, {"N": "0.2"}]}, name={"S": "Ann"})
    fields = {
        "total": "sum(new.prices)",
        "first": "new.prices[0]",
        "gone": "new.missing",
        "none": "new.a || new.b",
    }
    desired = mapping(fields=fields).after(change("INSERT", new=new))
    assert desired is not None
    assert row_of(desired) == {"id": {"S": "a"}, "total": {"N": "0.3"}, "first": {"N": "0.1"}}


def test_the_digest_is_of_the_whole_source_item_whatever_the_row_keeps_of_it() -> None:
    new = item(kept={"S": "1"}, dropped={"S": "2"})
    desired = mapping(fields={"kept": "new.kept"}).after(change("INSERT", new=new))
    assert desired is not None
    assert desired.digest == digest(new)


def test_a_row_is_kept_under_the_read_models_own_key_names() -> None:
    desired = mapping(key={"order_id": "keys.id"}, fields={"x": "new.x"}).after(
        change("INSERT", new=item(x={"S": "1"}))
    )
    assert desired is not None
    assert row_of(desired) == {"order_id": {"S": "a"}, "x": {"S": "1"}}


def test_a_key_the_record_lacks_is_the_records_fault() -> None:
    with pytest.raises(Rejected) as rejected:
        mapping(key={"id": "keys.other"}).after(change("INSERT", new=INSIDE))
    assert rejected.value.code == "KeyIsNull"


@pytest.mark.parametrize(
    ("new", "fields", "when"),
    [
        pytest.param(item(m={"M": ["x"]}), {"x": "new.m.a"}, None, id="a malformed map on a field's path"),
        pytest.param(item(m={"L": [{}]}), {"x": "new.id"}, None, id="malformed beside the fields"),
        pytest.param(item(m={"N": "ten"}), None, "new.m", id="malformed under the condition"),
        pytest.param(item(), {"x": "sum(new.id)"}, None, id="an expression that doesn't fit"),
        pytest.param(item(), None, "sum(new.id)", id="a condition that doesn't fit"),
        pytest.param(item(a={"L": [{"N": "1E125"}, {"N": "1"}]}), {"x": "sum(new.a)"}, None, id="126 digits"),
    ],
)
def test_what_cannot_be_mapped_is_rejected(
    new: Image, fields: dict[str, str] | None, when: str | None
) -> None:
    with pytest.raises(Rejected):
        mapping(fields=fields, when=when).after(change("INSERT", new=new))


@pytest.mark.parametrize(
    ("key", "fields", "message"),
    [
        ({"id": "uper(keys.id)"}, None, "."),
        ({"id": "keys.id"}, {"id": "new.x"}, "'id' is already part of the row"),
        ({"id": "keys.id"}, {"_tidemark": "new.x"}, "'_tidemark' is already part of the row"),
        ({"id": "keys.id"}, {"x": "new."}, "not a JMESPath expression"),
    ],
)
def test_settings_that_cannot_make_a_row_are_refused(
    key: dict[str, str], fields: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        mapping(key=key, fields=fields)


@pytest.mark.parametrize(
    ("key", "source_keys", "message"),
    [
        ({"id": "keys.id"}, ("id", "at"), "two items would share one row; add keys.at"),
        ({"id": "keys.id", "at": "keys.at"}, ("id",), "keys.at is not a key attribute"),
    ],
)
def test_a_key_that_does_not_fit_the_source_table_is_refused(
    key: dict[str, str], source_keys: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        mapping(key=key).check_keys(source_keys)


def test_a_key_of_exactly_the_source_tables_keys_is_taken_in_any_order() -> None:
    mapping(key={"sort": "keys.id", "hash": "keys.at"}).check_keys(("id", "at"))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param([None, INSIDE, OUTSIDE], TOMBSTONE, id="came in and left"),
        pytest.param([OUTSIDE, INSIDE, OUTSIDE], TOMBSTONE, id="was outside, came in and left"),
        pytest.param([OUTSIDE, OUTSIDE, INSIDE, OUTSIDE, OUTSIDE], TOMBSTONE, id="was inside once"),
        pytest.param([INSIDE, OUTSIDE, OUTSIDE], TOMBSTONE, id="left first"),
        pytest.param([None, INSIDE, None], TOMBSTONE, id="came in and was deleted"),
        pytest.param([None, OUTSIDE, None], TOMBSTONE, id="deleted, nobody knows from where"),
        pytest.param([OUTSIDE, OUTSIDE, None], None, id="deleted outside"),
        pytest.param([None, OUTSIDE, OUTSIDE], None, id="never inside"),
        pytest.param([OUTSIDE, OUTSIDE, OUTSIDE], None, id="stays outside"),
        pytest.param([OUTSIDE, OUTSIDE, INSIDE], ROW, id="comes in at last"),
    ],
)
def test_of_changes_taken_as_one_an_image_between_that_was_inside_asks_for_a_delete(
    images: list[Image | None], expected: tuple[Image, Image | None, str] | None
) -> None:
    changes = []
    for micros, (old, new) in enumerate(itertools.pairwise(images), 1):
        event: EventName = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        changes.append(decode(in_stream(envelope(event, KEYS, micros, new=new, old=old))))
    assert as_tuple(mapping(when=WHEN).after(coalesce(changes))) == expected
