"""PostgreSQL tables before the start: looked at, made, and refused with the statement that mends them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from consumer.errors import SettingsError, Unavailable
from consumer.settings.context import TableFacts
from tests.support.changes import put
from tests.support.servers.postgresql import PostgreSQLServer, fresh_database
from tests.support.sql_model import SqlModel, kinds, query

MENDED = "mend it: "
THERE = "SELECT to_regclass('view'), to_regclass('view_tidemark')"


@pytest.fixture
def model(database: str) -> SqlModel:
    return SqlModel(database)


def columns(model: SqlModel, table: str) -> dict[str, str]:
    text = """SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum"""
    return dict(model.query(text, table))


async def test_a_look_tells_what_will_be_made_and_makes_nothing(model: SqlModel) -> None:
    facts, problems = await model.look()
    assert (facts is not None and facts.columns, problems) == ({"id": "text", "v": "jsonb"}, [])
    assert model.query(THERE) == [(None, None)]
    assert await model.make() == facts


async def test_a_table_is_made_from_the_settings(database: str) -> None:
    facts = TableFacts(
        name="orders", region="r", partition_key="id", sort_key="at", key_types={"id": "B", "at": "N"}
    )
    settings = {
        "key": {"at": "keys.at", "id": "keys.id", "n": "index"},
        "fields": {"total": "new.total", "tags": "new.tags", "rest": "new.rest"},
        "for_each": "new.lines",
    }
    store = {"types": {"total": "numeric(12, 2)", "tags": "text[]"}}
    model = SqlModel(database, settings, store=store, facts=facts)
    await model.make()
    assert columns(model, "view") == {
        "at": "numeric",
        "id": "bytea",
        "n": "numeric",
        "total": "numeric(12,2)",
        "tags": "text[]",
        "rest": "jsonb",
        "_tidemark": "text",
    }
    with pytest.raises(psycopg.errors.UniqueViolation):
        model.query("INSERT INTO view (at, id, n) VALUES (1, '', 0), (1, '', 0)")


async def test_a_ledger_stands_beside_its_table_in_the_tables_schema(database: str) -> None:
    query(database, "CREATE SCHEMA shop")
    model = SqlModel(database, store={"table": "shop.view"})
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1")) == ["applied"]
    assert model.query("SELECT id FROM shop.view") == [("a",)]
    assert model.query("SELECT item FROM shop.view_tidemark ORDER BY item") == [("",), ("a",)]


async def test_the_longest_name_a_table_may_have_leaves_room_for_its_ledgers(database: str) -> None:
    model = SqlModel(database, store={"table": "t" * 48})
    await model.make()
    assert (await model.make()).table == "t" * 48
    assert model.query("SELECT count(*) FROM pg_class WHERE relname LIKE 'ttt%' AND relkind = 'r'") == [(2,)]


async def test_pods_that_start_together_make_one_table(model: SqlModel) -> None:
    assert len(set(map(str, await asyncio.gather(*(model.make() for _ in range(6)))))) == 1


async def test_what_stands_there_already_is_used_as_it_is(database: str) -> None:
    query(database, "CREATE TABLE view (v varchar(9), id text, _tidemark text, note text, UNIQUE (id))")
    model = SqlModel(database, store={"create": False, "types": {"v": "character varying(9)"}})
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1")) == ["applied"]
    assert model.query("SELECT * FROM view") == [("1", "a", "a", None)]


async def test_a_partitioned_table_is_one_too(database: str) -> None:
    query(database, "CREATE TABLE view (id text PRIMARY KEY, v jsonb, _tidemark text) PARTITION BY HASH (id)")
    for part in (0, 1):
        query(
            database,
            f"CREATE TABLE view_{part} PARTITION OF view FOR VALUES WITH (MODULUS 2, REMAINDER {part})",
        )
    model = SqlModel(database, store={"create": False})
    async with model.open() as processor:
        assert await kinds(processor, *(put(f"i{at}", 5, v="1") for at in range(9))) == ["applied"] * 9
        assert await kinds(processor, *(put(f"i{at}", 6, v="2") for at in range(9))) == ["applied"] * 9
    assert model.query("SELECT count(*) FROM view WHERE v = '\"2\"'") == [(9,)]


MISMATCHES = [
    (
        "CREATE TABLE view (id text PRIMARY KEY, _tidemark text)",
        {},
        'ALTER TABLE "view" ADD COLUMN "v" jsonb;',
    ),
    (
        "CREATE TABLE view (id text PRIMARY KEY, v jsonb)",
        {},
        'ALTER TABLE "view" ADD COLUMN "_tidemark" text;',
    ),
    (
        "CREATE TABLE view (id text PRIMARY KEY, v jsonb, _tidemark integer)",
        {},
        'ALTER TABLE "view" ALTER COLUMN "_tidemark" TYPE text;',
    ),
    (
        "CREATE TABLE view (id text PRIMARY KEY, v text, _tidemark text)",
        {"v": "varchar(20)"},
        'ALTER TABLE "view" ALTER COLUMN "v" TYPE character varying(20);',
    ),
    (
        "CREATE TABLE view (id text, v jsonb, _tidemark text)",
        {},
        'ALTER TABLE "view" ADD UNIQUE ("id");',
    ),
    (
        "CREATE TABLE view (id text, n int, v jsonb, _tidemark text, UNIQUE (id, n))",
        {},
        'ALTER TABLE "view" ADD UNIQUE ("id");',
    ),
    (
        'CREATE TABLE view (id text PRIMARY KEY, v jsonb, _tidemark text, "Note" text NOT NULL)',
        {},
        'ALTER TABLE "view" ALTER COLUMN "Note" DROP NOT NULL;',
    ),
    (
        "CREATE TABLE view (id text PRIMARY KEY, v text GENERATED ALWAYS AS (id) STORED, _tidemark text)",
        {},
        'ALTER TABLE "view" ALTER COLUMN "v" DROP EXPRESSION;',
    ),
]


@pytest.mark.parametrize(("made", "types", "mend"), MISMATCHES, ids=[mend for _, _, mend in MISMATCHES])
async def test_a_mismatch_is_told_with_the_statement_that_mends_it(
    database: str, made: str, types: dict[str, str], mend: str
) -> None:
    model = SqlModel(database, store={"create": False, **({"types": types} if types else {})})
    query(database, made)
    facts, (problem,) = await model.look()
    assert facts is None
    assert problem.startswith("processors.view.projection.store.postgresql: table 'view': ")
    told = problem.partition(MENDED)[2].partition(";")[0] + ";"
    assert told == mend
    query(database, told.replace("TYPE text;", "TYPE text USING _tidemark::text;"))
    assert (await model.look())[1] == []


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (None, "there is no such table, or none that the role can see; create it, or set `create: true`"),
        ("CREATE VIEW view AS SELECT 1", "it is not a table; name one"),
        (
            "CREATE UNIQUE INDEX ON plain (id) WHERE v IS NOT NULL",
            'it has no primary key or unique one of exactly "id"',
        ),
    ],
)
async def test_what_is_no_table_of_ours_is_refused(database: str, made: str | None, told: str) -> None:
    query(database, "CREATE TABLE plain (id text, v jsonb, _tidemark text)")
    if made:
        query(database, made)
    table = "plain" if made and "plain" in made else "view"
    with pytest.raises(SettingsError, match=told.replace(".", r"\.")):
        await SqlModel(database, store={"create": False, "table": table}).make()


async def test_several_mismatches_are_told_at_once(database: str) -> None:
    query(database, "CREATE TABLE view (other text)")
    _, problems = await SqlModel(database, store={"create": False}).look()
    assert len(problems) == 4  # two columns, our own, and the key


@pytest.mark.parametrize(
    ("settings", "store", "told"),
    [
        (
            {"fields": {"v": "new.v"}},
            {"types": {"v": "nonsense"}},
            'PostgreSQL: type "nonsense" does not exist; correct `types`',
        ),
        ({"fields": {"v": "new.v"}, "key": {"k": "new.k"}}, {}, "since the type of k is not known"),
        (
            {"fields": {"v": "new.v"}},
            {"table": "nowhere.view"},
            'schema "nowhere" does not exist; mend it: CREATE SCHEMA "nowhere"; or correct `table`',
        ),
    ],
)
async def test_what_can_not_be_made_is_told(
    database: str, settings: dict[str, object], store: dict[str, object], told: str
) -> None:
    model = SqlModel(database, {"key": {"id": "keys.id"}, **settings}, store=store)
    with pytest.raises(SettingsError, match=told):
        await model.make()
    assert model.query(THERE) == [(None, None)]


async def test_under_for_each_a_key_of_a_type_that_makes_two_keys_one_is_refused(database: str) -> None:
    settings = {
        "key": {"id": "keys.id", "day": "item.day"},
        "fields": {"n": "item.n"},
        "for_each": "new.days",
    }
    with pytest.raises(SettingsError, match='two keys may be one in column "day" of type date'):
        await SqlModel(database, settings, store={"types": {"day": "date"}}).make()


@pytest.fixture
def stranger(database: str) -> Iterator[str]:
    """The URL of a role that may do nothing in the database yet; and what it has goes with it."""
    role = f"role_{database.rpartition('_')[2]}"
    query(database, f"CREATE ROLE {role} LOGIN")
    query(database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield database.replace("postgres@", f"{role}@")
    query(database, f"DROP OWNED BY {role}")
    query(database, f"DROP ROLE {role}")


async def test_a_right_that_is_missing_is_told_with_its_grant(database: str, stranger: str) -> None:
    owner, model = SqlModel(database), SqlModel(stranger)
    with pytest.raises(SettingsError, match="permission denied for schema public") as denied:
        await model.make()
    assert 'mend it, for this role: GRANT USAGE, CREATE ON SCHEMA "public" TO ...' in str(denied.value)
    await owner.make()
    for table in ("view", "view_tidemark"):
        with pytest.raises(SettingsError) as refused:
            await model.make()
        told = str(refused.value).partition(MENDED)[2]
        assert told.startswith(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO "role_')
        query(database, told)
    async with model.open() as processor:
        assert await kinds(processor, put("a", 5, v="1")) == ["applied"]


async def test_a_ledger_of_another_processor_or_application_is_refused(
    model: SqlModel, database: str
) -> None:
    await model.make()
    for other in (
        SqlModel(database, name="other", store={"table": "view"}),
        SqlModel(database, application="another"),
    ):
        with pytest.raises(SettingsError, match="belongs to processor 'view' of application 'shop-orders'"):
            await other.make()


async def test_a_ledger_that_other_settings_filled_is_refused_unless_it_starts_here(database: str) -> None:
    changed = {"key": {"id": "keys.id"}, "fields": {"v": "upper(new.v)"}}
    await SqlModel(database).make()
    await SqlModel(database, changed).make()  # nothing was written yet
    model = SqlModel(database)
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
    with pytest.raises(SettingsError, match="filled by other settings"):
        await SqlModel(database, changed).make()
    await SqlModel(database, changed, start_here=True).make()


async def test_a_new_ledger_of_an_application_that_has_run_is_refused_unless_it_starts_here(
    model: SqlModel, database: str
) -> None:
    with pytest.raises(SettingsError, match="is new, but the application has run"):
        await model.make(has_run=True)
    assert model.query(THERE) == [(None, None)]
    await SqlModel(database, start_here=True).make(has_run=True)
    await model.make(has_run=True)


async def test_an_address_that_is_none_is_told_without_what_may_be_a_password() -> None:
    with pytest.raises(SettingsError, match="looks like postgresql://user@host") as refused:
        await SqlModel("postgresql://me:secret@host/db?nonsense=1").make()
    assert "secret" not in str(refused.value)


async def test_a_password_in_the_settings_is_refused(database: str) -> None:
    model = SqlModel(database.replace("postgres@", "postgres:secret@"))
    with pytest.raises(SettingsError, match="`url` has a password in it") as refused:
        await model.make()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("/test_", "/no_"), 'database "no_.*" does not exist'),
        (("postgres@", "nobody@"), 'role "nobody" does not exist'),
        (("@127.0.0.1:", "@127.0.0.1:1"), "port|refused"),
    ],
)
async def test_a_database_that_can_not_be_reached_is_told_in_the_servers_words(
    database: str, change: tuple[str, str], told: str
) -> None:
    with pytest.raises(Unavailable, match=told):
        await SqlModel(database.replace(*change)).make()


def test_a_wrong_password_is_told_in_the_servers_words(tmp_path: Path) -> None:
    with PostgreSQLServer() as server, fresh_database(server.url) as database:
        query(database, "CREATE ROLE shop LOGIN PASSWORD 'right'")
        rules = server.directory / "data" / "pg_hba.conf"
        rules.write_text("host all shop 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n")
        query(database, "SELECT pg_reload_conf()")
        model = SqlModel(database.replace("postgres@", "shop@"))
        passwords = tmp_path / "pgpass"
        passwords.write_text("*:*:*:shop:mistaken\n")
        passwords.chmod(0o600)
        by_file = SqlModel(f"{model.url}?passfile={passwords}")
        for each, words in ((model, "no password supplied"), (by_file, "password authentication failed")):
            with pytest.raises(Unavailable, match=words) as refused:
                asyncio.run(each.make())
            assert "mistaken" not in str(refused.value)
