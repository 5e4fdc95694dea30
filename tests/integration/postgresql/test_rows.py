"""A projection's rows in a real PostgreSQL."""

import pytest

from consumer.errors import Unavailable
from consumer.processors.gate import LATE_SECONDS
from consumer.processors.ledger.postgresql import PURGE_SECONDS
from consumer.record import ChangeRecord, Granularity
from tests.support.changes import put, remove
from tests.support.sql_model import SqlModel, change, image, kinds

MS = Granularity.MILLISECOND
DAY = 86_400.0


@pytest.fixture
def model(database: str) -> SqlModel:
    return SqlModel(database)


@pytest.fixture
def places(database: str) -> SqlModel:
    """A row at each place, whose key any item may take."""
    settings = {"key": {"place": "new.place"}, "fields": {"id": "keys.id"}, "key_wait": "10s"}
    return SqlModel(database, settings, store={"types": {"place": "text", "id": "text"}})


@pytest.fixture
def lines(database: str) -> SqlModel:
    settings = {
        "key": {"order": "keys.id", "sku": "item.sku"},
        "fields": {"quantity": "item.n"},
        "for_each": "new.lines",
    }
    return SqlModel(database, settings, store={"types": {"sku": "text", "quantity": "numeric"}})


def order(micros: int, new: dict[str, int] | None, old: dict[str, int] | None = None) -> ChangeRecord:
    listed = [
        None if of is None else {"lines": [{"sku": sku, "n": n} for sku, n in of.items()]}
        for of in (new, old)
    ]
    return change("A-1", micros, *listed)


async def test_a_change_is_a_row_and_its_duplicate_is_stale(model: SqlModel) -> None:
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1"), put("b", 6, v="2")) == ["applied", "applied"]
        assert await kinds(processor, put("a", 5, v="1"), put("b", 6, v="2")) == ["stale", "stale"]
    assert model.rows() == [("a", "1"), ("b", "2")]


async def test_a_deleted_item_stays_deleted(model: SqlModel) -> None:
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1"), remove("a", 7)) == ["applied", "applied"]
        assert model.rows() == []
        assert await kinds(processor, put("a", 6, v="2"), put("a", 8, v="3")) == ["stale", "applied"]
    assert model.rows() == [("a", "3")]


async def test_a_deletion_of_what_was_never_here_keeps_its_late_insert_out(model: SqlModel) -> None:
    async with model.open() as processor:
        assert await kinds(processor, remove("a", 7), put("a", 6, v="1")) == ["applied", "stale"]
    assert model.rows() == []


async def test_a_field_that_goes_is_null(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"v": "1"}), change("a", 6, {}, {"v": "1"}))
    assert model.rows() == [("a", None)]


async def test_without_fields_a_row_is_the_whole_item(database: str) -> None:
    model = SqlModel(database, {"key": {"id": "keys.id"}})
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"tags": ["x"], "none": None}))
    assert model.rows() == [("a", {"id": "a", "tags": ["x"], "none": None})]


async def test_a_tie_ends_at_what_the_source_says(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5_000, v="1", granularity=MS))
        model.source.put(image("a", {"v": "3"}))
        assert await kinds(processor, put("a", 5_000, v="2", granularity=MS)) == ["applied"]
        assert model.rows() == [("a", "3")]
        assert await kinds(processor, put("a", 5_000, v="3", granularity=MS)) == ["stale"]
    assert len(model.ties) == 1


async def test_a_row_whose_content_is_the_same_is_not_written_again(lines: SqlModel) -> None:
    async with lines.open() as processor:
        await kinds(processor, order(5, {"x": 1, "y": 1}))
        before = dict(lines.query('SELECT sku, xmin::text FROM "view"'))
        await kinds(processor, order(6, {"x": 1, "y": 2}, {"x": 1, "y": 1}))
        after = dict(lines.query('SELECT sku, xmin::text FROM "view"'))
    assert before["x"] == after["x"]
    assert before["y"] != after["y"]
    assert lines.rows() == [("A-1", "x", 1), ("A-1", "y", 2)]


async def test_rows_of_elements_that_vanished_go(lines: SqlModel) -> None:
    async with lines.open() as processor:
        await kinds(processor, order(5, {"x": 1, "y": 1, "z": 1}))
        await kinds(processor, order(6, {"y": 5}, {"x": 1, "y": 1, "z": 1}))
        assert lines.rows() == [("A-1", "y", 5)]
        await kinds(processor, order(7, None, {"y": 5}))
    assert lines.rows() == []


async def test_rows_go_whatever_the_old_image_says_of_them(lines: SqlModel) -> None:
    async with lines.open() as processor:
        await kinds(processor, order(5, {"x": 1}))
        await kinds(processor, order(7, {"z": 1}, {"y": 1}))  # the change from x to y is late
        assert lines.rows() == [("A-1", "z", 1)]
        assert await kinds(processor, order(6, {"y": 1}, {"x": 1})) == ["stale"]
    assert lines.rows() == [("A-1", "z", 1)]


async def test_when_the_key_changes_the_old_row_goes_and_the_new_one_comes(places: SqlModel) -> None:
    async with places.open() as processor:
        await kinds(processor, put("a", 5, place="p"))
        await kinds(processor, put("a", 6, place="q"))
    assert places.rows() == [("q", "a")]


async def test_two_items_of_one_batch_swap_keys_at_once(places: SqlModel) -> None:
    async with places.open() as processor:
        await kinds(processor, put("a", 5, place="p"), put("b", 5, place="q"))
        assert await kinds(processor, put("a", 6, place="q"), put("b", 6, place="p")) == ["applied"] * 2
    assert places.rows() == [("p", "b"), ("q", "a")]


async def test_two_items_swap_keys_one_after_the_other(places: SqlModel) -> None:
    async with places.open() as processor:
        await kinds(processor, put("a", 5, place="p"), put("b", 5, place="q"))
        assert await kinds(processor, put("a", 6, place="q")) == ["KeyTaken"]
        assert places.rows() == [("q", "b")]
        assert await kinds(processor, put("b", 6, place="p")) == ["applied"]
        assert await kinds(processor, put("a", 6, place="q")) == ["applied"]
    assert places.rows() == [("p", "b"), ("q", "a")]


async def test_an_item_that_waits_for_its_key_holds_up_no_other(places: SqlModel) -> None:
    async with places.open() as processor:
        await kinds(processor, put("a", 5, place="p"))
        outcomes = await processor.process([put("b", 5, place="p"), put("c", 5, place="r")])
        assert outcomes[0].error is not None
        assert "belongs to another item" in str(outcomes[0].error)
        assert getattr(outcomes[0].error, "of_item", False)
        assert outcomes[1].kind == "applied"
    assert places.rows() == [("p", "a"), ("r", "c")]


async def test_of_two_items_of_a_batch_that_want_one_key_who_has_it_keeps_it(places: SqlModel) -> None:
    async with places.open() as processor:
        assert await kinds(processor, put("a", 5, place="p"), put("b", 5, place="p")) == [
            "applied",
            "KeyTaken",
        ]
        both = [put("b", 6, place="p"), put("a", 6, place="p")]
        assert await kinds(processor, *both) == ["KeyTaken", "applied"]
    assert places.rows() == [("p", "a")]


async def test_a_key_that_stays_taken_is_the_records_fault_in_the_end(places: SqlModel) -> None:
    now = 1_000.0
    places.source.put(image("a", {"place": "p"}))
    async with places.open(clock=lambda: now) as processor:
        await kinds(processor, put("a", 5, place="p"), put("b", 5, place="q"))
        assert await kinds(processor, put("b", 6, place="p")) == ["KeyTaken"]
        now += 9.9
        assert await kinds(processor, put("b", 6, place="p")) == ["KeyTaken"]
        now += 0.1
        assert await kinds(processor, put("b", 6, place="p")) == ["KeyNotUnique"]
        await kinds(processor, remove("a", 7))
        assert await kinds(processor, put("b", 6, place="p")) == ["applied"]
    assert places.rows() == [("p", "b")]


async def test_a_row_of_nobodys_is_foreign_and_the_rest_of_the_batch_is_written(model: SqlModel) -> None:
    await model.make()
    model.query("""INSERT INTO "view" (id, v) VALUES ('a', '"theirs"')""")
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1"), put("b", 5, v="2")) == ["ForeignRow", "applied"]
    assert model.rows() == [("a", "theirs"), ("b", "2")]
    assert model.query("SELECT item FROM view_tidemark WHERE item = 'a'") == []


async def test_a_row_of_nobodys_is_taken_over_where_the_settings_say_so(database: str) -> None:
    model = SqlModel(database, {"key": {"id": "keys.id"}, "fields": {"v": "new.v"}, "adopt": True})
    await model.make()
    model.query("""INSERT INTO "view" (id, v) VALUES ('a', '"theirs"')""")
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1")) == ["applied"]
    assert model.rows() == [("a", "1")]


async def test_an_item_that_leaves_a_row_by_now_anothers_leaves_it_alone(places: SqlModel) -> None:
    async with places.open() as processor:
        await kinds(processor, put("a", 5, place="p"))
        places.query("DELETE FROM view")  # by hand, so that nobody says it is free but the table
        assert await kinds(processor, put("b", 5, place="p")) == ["applied"]
        assert await kinds(processor, put("a", 6, place="q")) == ["applied"]
    assert places.rows() == [("p", "b"), ("q", "a")]


async def test_an_entry_that_is_purged_while_it_is_about_to_be_read_is_waited_for(model: SqlModel) -> None:
    async with model.open() as processor:
        model.query(
            "CREATE FUNCTION purge() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN DELETE FROM view_tidemark WHERE item = 'a'; RETURN NULL; END $$"
        )
        model.query("CREATE TRIGGER purge AFTER INSERT ON view_tidemark EXECUTE FUNCTION purge()")
        with pytest.raises(Unavailable, match="purged while it was about to be read") as raised:
            await processor.process([put("a", 5, v="1")])
        assert raised.value.of_item
        model.query("DROP TRIGGER purge ON view_tidemark")
        assert await kinds(processor, put("a", 5, v="1")) == ["applied"]


async def test_columns_of_others_stay_as_they_are(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        model.query("ALTER TABLE view ADD COLUMN note text")
        model.query("UPDATE view SET note = 'mine'")
        await kinds(processor, put("a", 6, v="2"))
    assert model.rows() == [("a", "2", "mine")]


LONG = "".join(chr(0x4E00 + at * 7 % 20_000) for at in range(1_000))
"""3,000 bytes, hardly to be compressed: more than an index takes, and less than DynamoDB's two keys have."""


@pytest.mark.parametrize("identity", [LONG, "a\0b"], ids=["long", "nul"])
async def test_an_item_whose_identity_fits_no_index_is_known_by_a_digest(
    database: str, identity: str
) -> None:
    model = SqlModel(
        database, {"key": {"n": "new.n"}, "fields": {"v": "new.v"}}, store={"types": {"n": "numeric"}}
    )
    async with model.open() as processor:
        assert await kinds(processor, change(identity, 5, {"n": 1, "v": "1"})) == ["applied"]
        assert await kinds(processor, change(identity, 5, {"n": 1, "v": "1"})) == ["stale"]
        assert await kinds(processor, change(identity, 6, None)) == ["applied"]
    assert model.rows() == []


async def test_a_text_that_postgresql_cannot_hold_is_the_records_fault_and_nobody_elses(
    model: SqlModel,
) -> None:
    async with model.open() as processor:
        assert await kinds(processor, change("a", 5, {"v": "x\0y"})) == ["UntranslatableCharacter"]
        assert await kinds(processor, put("b", 5, v="1")) == ["applied"]
    assert model.rows() == [("b", "1")]


async def test_nothing_is_begun_once_it_is_time_to_stop(model: SqlModel) -> None:
    async with model.open(is_stopping=lambda: True) as processor:
        assert await kinds(processor, put("a", 5, v="1")) == ["held"]
    assert model.rows() == []


async def test_a_tombstone_is_purged_once_nothing_late_can_come_any_more(database: str) -> None:
    now = 1_000_000.0

    def clock() -> float:
        return now

    model = SqlModel(database, clock=clock)
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"), put("b", 5, v="1"), remove("a", 6))
        now += DAY + LATE_SECONDS - 1  # the stream keeps a day
        await kinds(processor, put("c", 5, v="1"))
        assert await kinds(processor, put("a", 5, v="1")) == ["stale"]
        now += PURGE_SECONDS
        await kinds(processor, put("d", 5, v="1"))
    assert model.query("SELECT item FROM view_tidemark ORDER BY item") == [("",), ("b",), ("c",), ("d",)]


async def test_an_item_that_came_back_is_no_tombstone_any_more(database: str) -> None:
    model = SqlModel(database)
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"), remove("a", 6), put("a", 7, v="2"))
    assert model.query("SELECT n, expires FROM view_tidemark WHERE item = 'a'") == [(3, None)]


async def test_a_writer_of_other_settings_writes_nothing(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        changed = SqlModel(model.url, {"key": {"id": "keys.id"}, "fields": {"v": "new.w"}}, start_here=True)
        async with changed.open() as renewed:
            with pytest.raises(Unavailable, match="a processor with other settings"):
                await processor.process([put("a", 6, v="2")])
            assert await kinds(renewed, put("a", 7, w="3")) == ["applied"]
    assert model.rows() == [("a", "3")]


@pytest.mark.parametrize(
    ("undo", "words"),
    [("TRUNCATE view_tidemark", "is empty"), ("DROP TABLE view_tidemark", "does not exist")],
)
async def test_a_ledger_that_was_lost_is_not_taken_for_an_empty_one(
    model: SqlModel, undo: str, words: str
) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        model.query(undo)
        with pytest.raises(Unavailable, match=words):
            await processor.process([put("a", 4, v="0")])
    assert model.rows() == [("a", "1")]


async def test_readers_see_a_batch_whole_or_not_at_all(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, *(put(f"i{number}", 5, v="1") for number in range(50)))
    assert model.query("SELECT count(DISTINCT xmin::text), count(*) FROM view") == [(1, 50)]
