"""What a batch does in PostgreSQL, once the ledger's entries are read."""

from collections.abc import Mapping, Sequence

import orjson

from consumer.errors import Rejected
from consumer.processors.base import APPLIED, STALE, failed
from consumer.processors.gate import Stamp
from consumer.processors.gated import Write
from consumer.processors.ledger.entry import Entry
from consumer.processors.ledger.sql_values import ColumnValues
from consumer.processors.projection.mapping import Desired
from consumer.processors.projection.sql_plan import Plan, Planner, Refusals, Wish
from consumer.processors.projection.sql_rows import RowWriter
from consumer.record import Version

PLANNER = Planner(RowWriter(ColumnValues(("k",), {})), may_share=True)
FOREIGN = failed(Rejected("somebody else's", code="ForeignRow", by_store=True))


def text(key: str) -> str:
    return f'[["S","{key}"]]'


def wish(
    item: str, micros: int, rows: Mapping[str, str], *, over: Stamp | None = None, digest: str = "new"
) -> Wish:
    """An item that should have rows, by their keys, of these digests."""
    write = Write(item, Version(micros), Desired(digest if rows else "-", (), ()), over)
    return Wish(item, write, {text(key): (b'{"k":"%b"}' % key.encode(), of) for key, of in rows.items()})


def entry(micros: int, rows: Mapping[str, str], rounds: int = 1) -> Entry:
    stamp = Stamp(Version(micros), "old" if rows else "-", rounds)
    return Entry(stamp, {text(key): of for key, of in rows.items()})


def plan(wishes: Sequence[Wish], refused: Refusals | None = None, **entries: Entry) -> Plan:
    return PLANNER.plan(wishes, {each.key: entries.get(each.key) for each in wishes}, refused or {})


def keys(rows: Sequence[bytes]) -> list[tuple[str, str]]:
    return [(row["k"], row["_tidemark"]) for row in map(orjson.loads, rows)]


def put(made: Plan) -> dict[str, list[str]]:
    return {owner: [key for key, _ in keys(rows)] for owner, rows in made.puts.items()}


def test_only_rows_that_differ_are_written_and_only_those_it_has_no_more_are_dropped() -> None:
    made = plan([wish("a", 6, {"B": "2", "C": "4", "D": "5"})], a=entry(5, {"A": "1", "B": "2", "C": "3"}))
    assert keys(made.drops) == [("A", "a")]
    assert put(made) == {"a": ["C", "D"]}
    assert made.entries["a"] == Entry(
        Stamp(Version(6), "new", 2), {text("B"): "2", text("C"): "4", text("D"): "5"}
    )
    assert made.answers == [APPLIED]


def test_what_is_stale_or_ties_writes_nothing_and_leaves_no_entry_that_was_not_there() -> None:
    made = plan(
        [wish("a", 5, {"A": "1"}, digest="old"), wish("b", 5, {"B": "1"}), wish("c", 4, {})],
        a=entry(5, {"A": "1"}),
        b=entry(5, {"B": "1"}),
        c=entry(5, {"C": "1"}),
    )
    assert made.answers == [STALE, Stamp(Version(5), "old", 1), STALE]
    assert (made.entries, made.puts, made.drops, made.unused) == ({}, {}, [], [])


def test_an_item_that_waits_gives_up_what_it_should_not_have_and_stays_older_than_its_change() -> None:
    held = entry(5, {"A": "1", "B": "2"})
    made = plan([wish("a", 6, {"B": "3", "D": "5"})], {"a": None}, a=held)
    assert made.answers == [None]
    assert keys(made.drops) == [("A", "a")]
    assert (made.puts, made.entries) == ({}, {"a": Entry(Stamp(Version(5), "old", 2), {text("B"): "2"})})


def test_an_item_that_waits_and_has_nothing_to_give_up_is_not_written_at_all() -> None:
    made = plan([wish("a", 6, {"D": "5"}), wish("b", 6, {"E": "5"})], {"a": None, "b": None}, b=entry(5, {}))
    assert (made.answers, made.entries, made.drops, made.unused) == ([None, None], {}, [], ["a"])


def test_an_item_whose_row_is_foreign_is_left_as_it_is() -> None:
    made = plan([wish("a", 6, {"D": "5"})], {"a": FOREIGN}, a=entry(5, {"A": "1"}))
    assert (made.answers, made.entries, made.drops, made.puts) == ([FOREIGN], {}, [], {})


def test_who_has_a_key_and_keeps_it_goes_before_who_wants_it_and_then_who_came_first() -> None:
    made = plan(
        [
            wish("a", 6, {"X": "1"}),
            wish("b", 6, {"X": "1"}),
            wish("c", 6, {"Y": "1"}),
            wish("d", 6, {"Y": "1"}),
        ],
        b=entry(5, {"X": "0"}),
    )
    assert made.answers == [None, APPLIED, APPLIED, None]
    assert put(made) == {"b": ["X"], "c": ["Y"]}
    assert made.unused == ["a", "d"]


def test_two_items_of_a_batch_swap_their_keys() -> None:
    made = plan(
        [wish("a", 6, {"Y": "1"}), wish("b", 6, {"X": "1"})], a=entry(5, {"X": "1"}), b=entry(5, {"Y": "1"})
    )
    assert made.answers == [APPLIED, APPLIED]
    assert keys(made.drops) == [("X", "a"), ("Y", "b")]
    assert put(made) == {"a": ["Y"], "b": ["X"]}


def test_a_key_that_an_item_leaves_is_free_for_another_of_its_batch_even_while_it_waits() -> None:
    made = plan(
        [wish("a", 6, {"Y": "1"}), wish("b", 6, {"X": "1"})],
        {"a": None},
        a=entry(5, {"X": "1"}),
    )
    assert made.answers == [None, APPLIED]
    assert (keys(made.drops), put(made)) == ([("X", "a")], {"b": ["X"]})


def test_what_the_source_says_of_a_tie_is_written_over_the_very_entry_that_tied() -> None:
    held = entry(5, {"A": "1"}, rounds=3)
    as_read, since = held.stamp, held.stamp._replace(round=2)
    made = plan([wish("a", 5, {"A": "2"}, over=as_read)], a=held)
    assert (made.answers, made.entries["a"].stamp) == ([APPLIED], Stamp(Version(5), "new", 4))
    assert plan([wish("a", 5, {"A": "2"}, over=since)], a=held).answers == [as_read]


def test_a_deletion_leaves_an_entry_that_is_a_tombstone() -> None:
    made = plan([wish("a", 6, {})], a=entry(5, {"A": "1"}))
    assert made.entries["a"].is_tombstone
    assert keys(made.drops) == [("A", "a")]
