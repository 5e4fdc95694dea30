"""PostgreSQL and its clients away, frozen, killed or in each other's way: nothing is lost or done twice."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import replace

import psycopg
import pytest

from consumer.errors import Unavailable
from consumer.processors.base import Processor
from consumer.record import ChangeRecord
from consumer.stores.postgresql.connecting import Statement
from consumer.stores.postgresql.database import Database, Session
from tests.support.changes import put
from tests.support.servers.link import Link
from tests.support.servers.postgresql import PostgreSQLServer
from tests.support.sql_model import LIMITS, SqlModel, change, kinds, query
from tests.support.waiting import eventually


@pytest.fixture
def model(database: str) -> SqlModel:
    return SqlModel(database)


@contextmanager
def locked(url: str, *statements: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Another client's transaction that has done these statements; it is rolled back in the end."""
    with closing(psycopg.connect(url)) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection


@asynccontextmanager
async def writers(model: SqlModel, how_many: int) -> AsyncIterator[list[Processor]]:
    """Each as a shard process has it, so that their transactions are their own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(model.open()) for _ in range(how_many)]


def waiting(url: str) -> int:
    """How many clients wait for a lock."""
    ((count,),) = query(url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return int(count)


async def until_waiting(url: str) -> None:
    assert await asyncio.to_thread(eventually, lambda: waiting(url))


async def unavailable(processor: Processor, micros: int = 9) -> str:
    """What is said while nothing can be written."""
    with pytest.raises(Unavailable) as raised:
        await processor.process([put("x", micros, v="1")])
    return f"{raised.value.code}: {raised.value}"


async def test_two_writers_of_one_change_apply_it_once(model: SqlModel) -> None:
    async with model.open() as one, model.open() as other:
        for micros in range(5, 25):
            ends = await asyncio.gather(
                *(kinds(each, put("a", micros, v=str(micros))) for each in (one, other))
            )
            assert sorted(end for (end,) in ends) == ["applied", "stale"]
    assert model.rows() == [("a", "24")]


async def test_many_writers_in_any_order_end_at_the_newest(model: SqlModel) -> None:
    changes = [put(f"i{micros % 7}", micros, v=str(micros)) for micros in range(100, 170)]
    async with writers(model, 6) as processors:

        async def deliver(seed: int) -> None:
            shuffled = random.Random(seed).sample(changes, len(changes))
            for at in range(0, len(shuffled), 9):
                ends = await kinds(processors[seed], *shuffled[at : at + 9])
                assert set(ends) <= {"applied", "stale"}

        await asyncio.gather(*map(deliver, range(6)))
    assert model.rows() == [
        (f"i{number}", str(max(range(100, 170)[(number - 2) % 7 :: 7]))) for number in range(7)
    ]


async def test_a_dead_lock_is_tried_again(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"), put("b", 5, v="1"))
        with locked(
            model.url,
            "SET deadlock_timeout = '20s'",  # the processor's side is to be the victim
            "SELECT FROM view_tidemark WHERE item = 'b' FOR UPDATE",
        ) as other:
            writing = asyncio.create_task(kinds(processor, put("a", 6, v="2"), put("b", 6, v="2")))
            await until_waiting(model.url)
            await asyncio.to_thread(other.execute, "SELECT FROM view_tidemark WHERE item = 'a' FOR UPDATE")
            other.rollback()
            assert await writing == ["applied", "applied"]
        ((victims,),) = model.query(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    assert victims == 1
    assert model.rows() == [("a", "2"), ("b", "2")]


async def test_a_lock_that_is_not_had_in_time_makes_its_items_wait_and_is_no_outage(database: str) -> None:
    model = SqlModel(database, limits=replace(LIMITS, lock=0.3))
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        with locked(model.url, "SELECT FROM view_tidemark WHERE item = 'a' FOR UPDATE"):
            with pytest.raises(Unavailable) as raised:
                await processor.process([put("a", 6, v="2"), put("b", 6, v="2")])
            assert (raised.value.code, raised.value.of_item) == ("LockNotAvailable", True)
            assert await kinds(processor, put("b", 6, v="2")) == ["applied"]
        assert await kinds(processor, put("a", 6, v="2")) == ["applied"]


@contextmanager
def child(url: str, micros: int, value: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.integration.postgresql.writer", url, str(micros), value]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_a_writer_that_is_killed_in_its_transaction_has_written_nothing(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        with locked(model.url, "SELECT FROM view WHERE id = 'a' FOR UPDATE") as row:
            with child(model.url, 6, "2") as writer:
                await until_waiting(model.url)  # it has its entry locked, and waits for the row
                writer.send_signal(signal.SIGKILL)
            row.rollback()
            assert await kinds(processor, put("a", 6, v="2")) == ["applied"]
    assert model.rows() == [("a", "2")]


async def test_a_writer_that_is_frozen_in_its_transaction_holds_up_nobody_for_long(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        with (
            locked(model.url, "SELECT FROM view WHERE id = 'a' FOR UPDATE") as row,
            child(model.url, 6, "2") as writer,
        ):
            await until_waiting(model.url)
            writer.send_signal(signal.SIGSTOP)
            row.rollback()
            assert await kinds(processor, put("a", 7, v="3")) == ["applied"]
            writer.send_signal(signal.SIGCONT)
            out, _ = await asyncio.to_thread(writer.communicate)
    assert out.split(":")[0] in ("Unavailable", "stale\n")  # told, or tried again on a new connection
    assert model.rows() == [("a", "3")]


async def test_a_server_that_is_stopped_is_waited_for_and_found_again(
    postgresql: PostgreSQLServer, database: str
) -> None:
    model = SqlModel(database)
    async with model.open() as processor:
        await asyncio.gather(*(kinds(processor, put(f"i{at}", 5, v="1")) for at in range(8)))
        for end in (postgresql.stop, postgresql.kill):
            await asyncio.to_thread(end)
            assert "refused" in await unavailable(processor)
            await asyncio.to_thread(postgresql.start)
            assert await kinds(processor, put("x", 1, v="1")) in (["applied"], ["stale"])
        await asyncio.gather(*(kinds(processor, put(f"i{at}", 6, v="2")) for at in range(8)))
        await asyncio.to_thread(postgresql.stop)  # and started before anybody has noticed
        await asyncio.to_thread(postgresql.start)
        ends = await asyncio.gather(*(kinds(processor, put(f"i{at}", 7, v="3")) for at in range(8)))
    assert ends == [["applied"]] * 8
    assert model.rows() == [*((f"i{at}", "3") for at in range(8)), ("x", "1")]


async def test_a_server_that_dies_under_a_batch_leaves_nothing_of_it(
    postgresql: PostgreSQLServer, database: str
) -> None:
    model = SqlModel(database)
    async with model.open() as processor:
        await kinds(processor, put("b", 5, v="1"))
        with locked(model.url, "SELECT FROM view WHERE id = 'b' FOR UPDATE"):
            both = asyncio.create_task(kinds(processor, put("a", 6, v="2"), put("b", 6, v="2")))
            await until_waiting(model.url)
            await asyncio.to_thread(postgresql.kill)
            with pytest.raises(Unavailable):
                await both
        await asyncio.to_thread(postgresql.start)
        assert model.rows() == [("b", "1")]
        assert await kinds(processor, put("a", 6, v="2"), put("b", 6, v="2")) == ["applied", "applied"]


async def test_a_link_that_is_cut_is_an_outage_and_mended_it_is_none(
    postgresql: PostgreSQLServer, database: str
) -> None:
    async with Link(postgresql.port) as link:
        model = SqlModel(database)
        by_link = database.replace(f":{postgresql.port}/", f":{link.port}/")
        async with model.open(url=by_link) as processor:
            assert await kinds(processor, put("a", 5, v="1")) == ["applied"]
            link.cut()
            assert "connection" in await unavailable(processor)
            link.resume()
            assert await kinds(processor, put("a", 6, v="2")) == ["applied"]


async def test_a_server_that_says_nothing_any_more_is_given_up(
    postgresql: PostgreSQLServer, database: str
) -> None:
    async with Link(postgresql.port) as link:
        model = SqlModel(database, limits=replace(LIMITS, transaction=0.5, connect=2))
        by_link = database.replace(f":{postgresql.port}/", f":{link.port}/")
        async with model.open(url=by_link) as processor:
            assert await kinds(processor, put("a", 5, v="1")) == ["applied"]
            link.freeze()
            assert await unavailable(processor) == "NoAnswer: PostgreSQL did not answer within 0.5 s"
            assert "timeout expired" in await unavailable(
                processor
            )  # a new connection, which it does not take
            link.resume()
            assert await kinds(processor, put("a", 6, v="2")) == ["applied"]


async def test_transactions_wait_for_a_connection_as_long_as_it_takes(database: str) -> None:
    opened = Database(database, connections=2, uniform=random.random)
    rest = Statement("SELECT pg_sleep(0.02)::text")
    await asyncio.gather(*(opened.transaction(lambda session: session.run(rest)) for _ in range(20)))
    connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidemark'"
    assert query(database, connections) == [(2,)]
    await opened.close()


async def test_what_lanes_bring_at_once_is_one_transaction(model: SqlModel) -> None:
    async with model.open() as processor:
        ends = await asyncio.gather(*(kinds(processor, put(f"i{at}", 5, v="1")) for at in range(20)))
    assert ends == [["applied"]] * 20
    assert model.query("SELECT count(DISTINCT xmin::text) FROM view") == [(1,)]


async def test_what_lanes_bring_while_one_waits_for_a_lock_is_written_beside_it(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"), put("b", 5, v="1"))
        with locked(model.url, "SELECT FROM view WHERE id IN ('a', 'b') FOR UPDATE"):
            held = []
            for item in ("a", "b"):
                held.append(asyncio.create_task(kinds(processor, put(item, 6, v="2"))))
                assert await asyncio.to_thread(eventually, lambda: waiting(model.url) == len(held))
            assert await kinds(processor, put("c", 6, v="2")) == ["applied"]
        assert await asyncio.gather(*held) == [["applied"]] * 2


async def test_a_connection_that_the_server_has_no_room_for_is_told_in_its_words(database: str) -> None:
    role = f"role_{database.rpartition('_')[2]}"
    query(database, f"CREATE ROLE {role} LOGIN SUPERUSER CONNECTION LIMIT 1")
    query(database, f"ALTER ROLE {role} NOSUPERUSER")
    model = SqlModel(database)
    facts = await model.make()
    query(database, f"GRANT ALL ON {facts.table}, {facts.table}_tidemark TO {role}")
    limited = database.replace("postgres@", f"{role}@")
    async with model.open(url=limited) as processor:
        with closing(psycopg.connect(limited)):
            assert f'too many connections for role "{role}"' in await unavailable(processor)
        assert await asyncio.to_thread(eventually, lambda: not connected(database, role))
        assert await kinds(processor, put("a", 5, v="1")) == ["applied"]
    query(database, f"DROP OWNED BY {role}")
    query(database, f"DROP ROLE {role}")


def connected(url: str, role: str) -> int:
    ((count,),) = query(url, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", role)
    return int(count)


async def test_what_is_cancelled_leaves_no_transaction_behind(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        with locked(model.url, "SELECT FROM view WHERE id = 'a' FOR UPDATE"):
            writing = asyncio.create_task(kinds(processor, put("a", 6, v="2")))
            await until_waiting(model.url)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert await kinds(processor, put("b", 6, v="2")) == ["applied"]
        assert model.rows() == [("a", "1"), ("b", "2")]
        assert await kinds(processor, put("a", 6, v="2")) == ["applied"]
    text = (
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
    )
    assert model.query(text) == [(0,)]


async def test_a_server_that_became_a_standby_is_waited_for_and_connected_to_anew(model: SqlModel) -> None:
    name = model.url.rpartition("/")[2]
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        model.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        model.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark'"
        )
        assert (await unavailable(processor)).startswith("ReadOnlySqlTransaction: ")
        with closing(psycopg.connect(model.url, autocommit=True)) as owner:
            owner.execute("SET default_transaction_read_only = off")
            owner.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        assert await kinds(processor, put("a", 6, v="2")) == ["applied"]


@pytest.mark.parametrize(
    ("altered", "code"),
    [
        ("ALTER TABLE view RENAME COLUMN v TO w", "UndefinedColumn"),
        ("ALTER TABLE view RENAME TO gone", "UndefinedTable"),
    ],
)
async def test_a_table_that_changed_since_the_start_is_an_outage_and_no_records_fault(
    model: SqlModel, altered: str, code: str
) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        model.query(altered)
        assert (await unavailable(processor)).startswith(f"{code}: ")


async def test_a_column_that_changed_its_type_since_is_written_as_it_is_now(model: SqlModel) -> None:
    async with model.open() as processor:
        await kinds(processor, put("a", 5, v="1"))
        model.query("ALTER TABLE view ALTER COLUMN v TYPE integer USING 0")
        assert await kinds(processor, put("a", 6, v="2")) == ["applied"]
    assert model.rows() == [("a", 2)]


async def show(database: Database, *names: str) -> Sequence[object]:
    async def work(session: Session) -> list[object]:
        rows = await session.run(*(Statement(f"SHOW {name}") for name in names))
        return [row[0][0] for row in rows]

    return await database.transaction(work)


async def test_each_connection_has_its_limits_and_what_the_url_says_of_it_stays(database: str) -> None:
    url = f"{database}?application_name=mine&options=-c%20work_mem%3D5MB"
    opened = Database(url, connections=1, uniform=random.random)
    assert await show(
        opened,
        *("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "tcp_user_timeout"),
        *("transaction_isolation", "timezone", "application_name", "work_mem"),
    ) == ["10s", "15s", "30s", "0", "read committed", "UTC", "mine", "5MB"]
    await opened.close()


async def test_an_error_of_our_own_rolls_back_and_keeps_the_connection(database: str) -> None:
    query(database, "CREATE TABLE t (n int)")
    opened = Database(database, connections=1, uniform=random.random)

    async def work(session: Session) -> None:
        await session.run(Statement("INSERT INTO t VALUES (1)"))
        raise KeyError

    with pytest.raises(KeyError):
        await opened.transaction(work)
    before = await show(opened, "application_name")
    ((count,),) = query(database, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidemark'")
    assert (before, count) == (["tidemark"], 1)
    assert query(database, "SELECT * FROM t") == []
    await opened.close()


@pytest.fixture
def impatient(database: str) -> str:
    """A database that looks for dead-locks at once."""
    query(database, f"ALTER DATABASE {database.rpartition('/')[2]} SET deadlock_timeout = '5ms'")
    return database


def dead_locks(url: str) -> int:
    ((count,),) = query(url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


async def stir(model: SqlModel, deliveries: Sequence[Sequence[ChangeRecord]], held: str) -> None:
    """Deliver all at once, each in an order of its own, to go on from where all wait for what is held."""
    async with writers(model, len(deliveries)) as processors:

        async def deliver(changes: Sequence[ChangeRecord], seed: int) -> None:
            await kinds(processors[seed], *random.Random(seed).sample(changes, len(changes)))

        with locked(model.url, held) as other:
            writing = [asyncio.create_task(deliver(changes, n)) for n, changes in enumerate(deliveries)]
            assert await asyncio.to_thread(eventually, lambda: waiting(model.url) == len(deliveries))
            other.rollback()
            await asyncio.gather(*writing)


@pytest.mark.parametrize(
    "held",
    [
        "INSERT INTO view_tidemark (item) VALUES ('i20')",
        "SELECT FROM view_tidemark WHERE item = 'i20' FOR UPDATE",
    ],
    ids=["new", "there"],
)
async def test_entries_are_locked_in_one_order_so_that_writers_never_lock_each_other_out(
    impatient: str, held: str
) -> None:
    model = SqlModel(impatient)
    async with model.open() as processor:
        if "FOR UPDATE" in held:
            await kinds(processor, *(put(f"i{at}", 4, v="1") for at in range(40)))
    changes = [put(f"i{at}", 5, v="2") for at in range(40)]
    await stir(model, [changes] * 8, held)
    assert dead_locks(impatient) == 0


async def test_sums_are_added_to_in_one_order_so_that_writers_never_lock_each_other_out(
    impatient: str,
) -> None:
    settings = {"group_by": {"g": "new.g"}, "add": {"n": "`1`"}}
    model = SqlModel(impatient, settings, kind="aggregate", store={"types": {"g": "text"}})
    await model.make()
    items = [[change(f"{n}-{at}", 5, {"g": f"g{at}"}) for at in range(40)] for n in range(8)]
    await stir(model, items, "INSERT INTO view VALUES ('g20', 0)")
    assert dead_locks(impatient) == 0
    assert model.rows() == sorted((f"g{at}", 8) for at in range(40))


async def test_rows_are_locked_in_one_order_so_that_items_that_swap_never_lock_each_other_out(
    impatient: str,
) -> None:
    settings = {"key": {"k": "new.k"}, "fields": {"id": "keys.id"}}
    model = SqlModel(impatient, settings, store={"types": {"k": "text", "id": "text"}})
    async with model.open() as processor:

        def placed(micros: int) -> list[list[ChangeRecord]]:
            """Writer n has items of its own, and each takes a place that another writer's item leaves."""
            return [
                [change(f"{n}-{at}", micros, {"k": f"k{at}-{(n + micros) % 4}"}) for at in range(20)]
                for n in range(4)
            ]

        for changes in placed(5):
            await kinds(processor, *changes)
        held = "SELECT FROM view WHERE k LIKE 'k7-%' FOR UPDATE"
        await stir(model, placed(6), held)
        for changes in placed(6):  # by now each has left its place
            assert set(await kinds(processor, *changes)) <= {"applied", "stale"}
    assert dead_locks(impatient) == 0
    assert len(model.rows()) == 80
