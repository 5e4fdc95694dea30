"""What a write changes of an item's rows, and in which transactions."""

import orjson
import pytest

from consumer.processors.gate import Stamp
from consumer.processors.ledger.entry import NOTHING, Entry
from consumer.processors.projection.mapping import Row
from consumer.processors.projection.plan import (
    Part,
    RowActions,
    departure,
    difference,
    needs_ledger,
    steps,
)
from consumer.record import Image, Version
from consumer.settings.model import Projection

ME = "item-1"
ACTIONS = RowActions("lines", ("id", "sku"), adopt=False)
NEW = Stamp(Version(9), "new", 1)


def row(sku: str, n: str) -> Row:
    fields: Image = {"n": {"S": n}}
    return Row({"sku": {"S": sku}, "id": {"S": "o"}}, fields)


def rows(**lines: str) -> dict[str, Row]:
    return {ACTIONS.text(each): each for each in (row(sku, n) for sku, n in lines.items())}


def held(**lines: str) -> dict[str, str]:
    """What the ledger says of an item after these lines were written."""
    (step,) = steps(NOTHING, list(difference({}, rows(**lines), ME, ACTIONS)), NEW)
    return {text: str(digest) for text, digest in step.entry.holds.items()}


def told(parts: list[Part]) -> list[tuple[str, str]]:
    """The kind of each action, and the SKU of its row."""
    found = []
    for part in parts:
        assert part.action is not None
        ((kind, request),) = orjson.loads(part.action).items()
        found.append((kind, request.get("Item", request.get("Key"))["sku"]["S"]))
    return found


def test_only_what_changed_is_written_and_what_goes_goes_first() -> None:
    parts = list(difference(held(a="1", b="2", c="3"), rows(b="2", c="4", d="5"), ME, ACTIONS))
    assert told(parts) == [("Delete", "a"), ("Put", "c"), ("Put", "d")]


def test_of_a_departure_only_what_has_no_place_goes() -> None:
    parts = list(departure(held(a="1", b="2"), rows(b="7", c="1").keys(), ME, ACTIONS))
    assert told(parts) == [("Delete", "a")]


def test_a_rows_key_goes_by_the_table_and_not_by_the_order_of_the_settings() -> None:
    other = Row({"id": {"S": "o"}, "sku": {"S": "a"}}, {})
    assert ACTIONS.text(other) == ACTIONS.text(row("a", "1")) == '[["S","o"],["S","a"]]'


def test_a_number_in_a_key_is_one_key_however_it_is_written() -> None:
    numbered = RowActions("t", ("n",), adopt=False)
    texts = {numbered.text(Row({"n": {"N": text}}, {})) for text in ("10", "10.0", "1E+1")}
    assert len(texts) == 1
    ((_, request),) = orjson.loads(numbered.delete(texts.pop(), ME)).items()
    assert float(request["Key"]["n"]["N"]) == 10


def entries(count: int, size: int = 1) -> tuple[list[Part], Entry]:
    before = Entry(Stamp(Version(5), "old", 7), {"old": "1"})
    parts = [Part("old", None, b"x" * size)]
    parts += [Part(f"new-{number}", "2", b"x" * size) for number in range(count - 1)]
    return parts, before


def test_what_fits_is_one_transaction() -> None:
    parts, before = entries(99)
    (step,) = steps(before, parts, NEW._replace(round=8))
    assert len(step.actions) == 99
    assert step.entry.stamp == NEW._replace(round=8)
    assert step.entry.holds == {f"new-{number}": "2" for number in range(98)}


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        pytest.param(100, 1, [99, 1], id="one action too many"),
        pytest.param(300, 1, [99, 99, 99, 3], id="many"),
        pytest.param(20, 390_000, [7, 7, 6], id="large rows"),
    ],
)
def test_what_is_too_large_goes_in_steps_and_each_says_what_is_there(
    count: int, size: int, lengths: list[int]
) -> None:
    parts, before = entries(count, size)

    found = list(steps(before, parts, NEW))

    assert [len(step.actions) for step in found] == lengths
    assert [part for step in found for part in step.parts] == parts
    written = 0
    for number, step in enumerate(found, 1):
        written += len(step.parts)
        assert step.entry.holds == {part.text: part.digest for part in parts[1:written]}
        assert step.entry.stamp.round == before.stamp.round + number
        stands_for = NEW if number == len(found) else before.stamp
        assert step.entry.stamp[:2] == stands_for[:2]


def test_a_write_that_changes_no_row_still_writes_the_entry() -> None:
    before = Entry(Stamp(Version(5), "old", 7), held(a="1"))
    (step,) = steps(before, list(difference(before.holds, rows(a="1"), ME, ACTIONS)), NEW)
    assert step.actions == []
    assert step.entry == Entry(NEW._replace(round=8), before.holds)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        pytest.param({"key": {"id": "keys.id"}}, False, id="an item's own keys"),
        pytest.param({"key": {"code": "new.code"}}, True, id="another attribute"),
        pytest.param({"key": {"id": "concat(keys.id, 'x')"}}, True, id="made of a key"),
        pytest.param(
            {"key": {"id": "keys.id"}, "for_each": "new.lines", "fields": {"n": "item.n"}}, True, id="a list"
        ),
    ],
)
def test_it_takes_a_ledger_where_rows_may_be_several_or_move(
    settings: dict[str, object], *, needs: bool
) -> None:
    for store, needed in (({"table": "view"}, needs), ({"table": "view", "ledger": "log"}, True)):
        projection = Projection.model_validate({"store": {"dynamodb": store}, **settings})
        assert needs_ledger(projection) is needed
    elsewhere = {"postgresql": {"table": "view"}}
    assert not needs_ledger(Projection.model_validate({"store": elsewhere, **settings}))
