"""What becomes of an item's values in columns of each type, as PostgreSQL itself has them."""

from decimal import Decimal

import pytest

from consumer.errors import Rejected
from tests.support.sql_model import SqlModel, change, kinds

LONG = "1234567890123456789012345678.9012345678"
"""38 digits, the most that DynamoDB has."""

GOOD = [
    ("numeric", Decimal(LONG), LONG),
    ("numeric", Decimal("-1E-130"), f"-0.{'0' * 129}1"),
    ("numeric(5,2)", Decimal("1.005"), "1.01"),
    ("numeric", "12.50", "12.50"),
    ("integer", Decimal(7), "7"),
    ("integer", Decimal("1E+2"), "100"),
    ("bigint", Decimal("5.0"), "5"),
    ("smallint[]", [Decimal(1), Decimal("2E+1")], "{1,20}"),
    ("double precision", Decimal("0.1"), "0.1"),
    ("text", "x", "x"),
    ("text", Decimal(LONG), LONG),
    ("text", True, "true"),
    ("text", {"a": [Decimal("1.10")]}, '{"a":[1.10]}'),
    ("varchar(3)", "abc", "abc"),
    ("boolean", False, "false"),
    ("boolean", "yes", "true"),
    ("bytea", b"\x00\xff", "\\x00ff"),
    ("bytea[]", [b"\x00", b"a"], '{"\\\\x00","\\\\x61"}'),
    ("text", b"\x00\xff", "AP8="),
    ("jsonb", {"n": Decimal(LONG), "b": b"\x00\xff", "l": [None, True]}, None),
    ("jsonb", "text", '"text"'),
    ("jsonb", Decimal(5), "5"),
    ("text[]", ["a", "b,c", 'd"'], '{a,"b,c","d\\""}'),
    ("numeric[]", [Decimal(LONG), Decimal(1)], f"{{{LONG},1}}"),
    ("text[]", [["a"], ["b"]], "{{a},{b}}"),
    ("timestamp with time zone", "2026-02-03T04:05:06+01:00", "2026-02-03 03:05:06+00"),
    ("timestamp with time zone", "2026-02-03T04:05:06", "2026-02-03 04:05:06+00"),
    ("date", "2026-02-03", "2026-02-03"),
    ("uuid", "0A000000-0000-0000-0000-000000000001", "0a000000-0000-0000-0000-000000000001"),
    ("inet", "10.0.0.1", "10.0.0.1/32"),
    ("point", "(1,2)", "(1,2)"),
]


@pytest.mark.parametrize(("type_", "value", "shown"), GOOD)
async def test_a_value_arrives_in_its_column_with_all_its_digits(
    database: str, type_: str, value: object, shown: str | None
) -> None:
    model = SqlModel(database, store={"types": {"v": type_}})
    async with model.open() as processor:
        assert await kinds(processor, change("a", 5, {"v": value})) == ["applied"]
    ((text,),) = model.query("SELECT v::text FROM view")
    expected = f'{{"b": "AP8=", "l": [null, true], "n": {LONG}}}' if shown is None else shown
    assert text == expected


@pytest.mark.parametrize("type_", ["numeric", "text", "jsonb", "bytea", "text[]", "date", "boolean"])
@pytest.mark.parametrize("values", [{}, {"v": None}])
async def test_null_and_what_is_not_there_are_null_in_every_type(
    database: str, type_: str, values: dict[str, object]
) -> None:
    model = SqlModel(database, store={"types": {"v": type_}})
    async with model.open() as processor:
        assert await kinds(processor, change("a", 5, values)) == ["applied"]
    assert model.rows() == [("a", None)]


BAD = [
    ("integer", "x", "InvalidTextRepresentation", True),
    ("integer", Decimal("1.5"), "InvalidTextRepresentation", True),
    ("integer", Decimal(9_999_999_999), "NumericValueOutOfRange", True),
    ("numeric(3,0)", Decimal(1000), "NumericValueOutOfRange", True),
    ("varchar(3)", "abcd", "StringDataRightTruncation", True),
    ("boolean", "perhaps", "InvalidTextRepresentation", True),
    ("date", "2026-02-30", "DatetimeFieldOverflow", True),
    ("timestamp", "soon", "InvalidDatetimeFormat", True),
    ("numeric[]", [Decimal(1), "x"], "InvalidTextRepresentation", True),
    ("text[]", {"a": Decimal(1)}, "InvalidTextRepresentation", True),
    ("text", "a\0b", "UntranslatableCharacter", False),
    ("jsonb", {"a": "\0"}, "UntranslatableCharacter", False),
]


@pytest.mark.parametrize(("type_", "value", "code", "by_store"), BAD)
async def test_a_value_that_its_column_cannot_take_is_the_records_fault(
    database: str,
    type_: str,
    value: object,
    code: str,
    by_store: bool,  # noqa: FBT001 - a column of the table
) -> None:
    model = SqlModel(database, store={"types": {"v": type_}})
    async with model.open() as processor:
        (outcome,) = await processor.process([change("a", 5, {"v": value})])
        assert isinstance(outcome.error, Rejected)
        assert (outcome.error.code, outcome.error.by_store) == (code, by_store)
        assert str(outcome.error).startswith("PostgreSQL: ")
        good = await kinds(processor, change("b", 5, {"v": None}))
    assert (good, model.rows()) == (["applied"], [("b", None)])


async def test_of_several_records_the_one_at_fault_is_not_told_so_that_the_batch_is_halved(
    database: str,
) -> None:
    model = SqlModel(database, store={"types": {"v": "integer"}})
    async with model.open() as processor:
        with pytest.raises(Rejected, match="invalid input syntax"):
            await processor.process([change("a", 5, {"v": "1"}), change("b", 5, {"v": "x"})])
        assert model.rows() == []
        assert await kinds(processor, change("a", 5, {"v": "1"})) == ["applied"]
    assert model.rows() == [("a", 1)]


async def test_a_key_too_long_for_an_index_is_the_records_fault_and_not_the_tables(database: str) -> None:
    model = SqlModel(
        database, {"key": {"k": "new.k"}, "fields": {"v": "new.v"}}, store={"types": {"k": "text"}}
    )
    long = "".join(chr(0x4E00 + number * 7 % 20_000) for number in range(3_000))  # hardly to be compressed
    async with model.open() as processor:
        (outcome,) = await processor.process([change("a", 5, {"k": long, "v": "1"})])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == ("ProgramLimitExceeded", False)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("ADD CONSTRAINT short CHECK (length(v) < 3)", "CheckViolation"),
        ("ALTER COLUMN v SET NOT NULL", "NotNullViolation"),
        ("ADD CONSTRAINT one UNIQUE (v)", "UniqueViolation"),
    ],
)
async def test_a_rule_of_the_tables_own_that_a_row_breaks_is_the_records_fault(
    database: str, rule: str, code: str
) -> None:
    model = SqlModel(database, store={"types": {"v": "text"}})
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"v": "1"}))
        model.query(f"ALTER TABLE view {rule}")
        values = {"CheckViolation": {"v": "1234"}, "NotNullViolation": {}, "UniqueViolation": {"v": "1"}}[
            code
        ]
        (outcome,) = await processor.process([change("b", 5, values)])
    assert isinstance(outcome.error, Rejected)
    assert (outcome.error.code, outcome.error.by_store) == (code, True)


async def test_what_a_trigger_refuses_is_the_records_fault(database: str) -> None:
    model = SqlModel(database)
    async with model.open() as processor:
        model.query(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'not on sundays'; END $$"
        )
        model.query("CREATE TRIGGER refuse BEFORE INSERT ON view FOR EACH ROW EXECUTE FUNCTION refuse()")
        (outcome,) = await processor.process([change("a", 5, {"v": "1"})])
    assert str(outcome.error) == "PostgreSQL: not on sundays"
    assert isinstance(outcome.error, Rejected)


@pytest.mark.parametrize("type_", ["numeric", "text", "bigint"])
async def test_a_number_makes_one_key_however_it_is_written(database: str, type_: str) -> None:
    model = SqlModel(
        database, {"key": {"k": "new.k"}, "fields": {"v": "new.v"}}, store={"types": {"k": type_}}
    )
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"k": Decimal("1E+2"), "v": "1"}))
        await kinds(processor, change("a", 6, {"k": Decimal("100.0"), "v": "2"}))
        assert model.query("SELECT k::text, v #>> '{}' FROM view") == [("100", "2")]
        await kinds(processor, change("a", 7, None))
    assert model.rows() == []


async def test_binary_keys_come_and_go(database: str) -> None:
    model = SqlModel(
        database, {"key": {"k": "new.k"}, "fields": {"v": "new.v"}}, store={"types": {"k": "bytea"}}
    )
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"k": b"\x00\xff", "v": "1"}))
        assert model.query("SELECT k FROM view") == [(b"\x00\xff",)]
        await kinds(processor, change("a", 6, {"k": b"\x01", "v": "1"}))
    assert model.query("SELECT k FROM view") == [(b"\x01",)]


async def test_keys_that_differ_here_and_are_one_in_the_column_are_one_row(database: str) -> None:
    model = SqlModel(
        database, {"key": {"k": "new.k"}, "fields": {"v": "new.v"}}, store={"types": {"k": "date"}}
    )
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"k": "2026-02-03", "v": "1"}))
        assert await kinds(processor, change("a", 6, {"k": "2026-02-03T12:00", "v": "2"})) == ["applied"]
        assert await kinds(processor, change("b", 6, {"k": "20260203", "v": "3"})) == ["KeyTaken"]
    assert model.query("SELECT k::text, v #>> '{}' FROM view") == [("2026-02-03", "2")]


async def test_names_are_taken_as_they_are_whatever_is_in_them(database: str) -> None:
    fields = {'a"b': "new.v", "select": "new.v", "per cent %s $1": "new.v", "Größe": "new.v"}
    model = SqlModel(database, {"key": {"Order Id": "keys.id"}, "fields": fields}, name="user")
    async with model.open() as processor:
        await kinds(processor, change("a", 5, {"v": "1"}), change("a", 6, {"v": "2"}))
    assert model.rows() == [("a", "2", "2", "2", "2")]
