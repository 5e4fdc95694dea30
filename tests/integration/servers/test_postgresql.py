from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import psycopg
import pytest

from tests.support.servers.postgresql import PostgreSQLServer, fresh_database
from tests.support.servers.server import ServerStartError, is_alive
from tests.support.waiting import eventually

BUSY_SECONDS = 0.1


def values(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY value")]


def keep(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def test_it_listens_on_one_loopback_port_and_nowhere_else(postgresql: PostgreSQLServer) -> None:
    assert postgresql.pid is not None
    connections = psutil.Process(postgresql.pid).net_connections("all")
    listening = [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", postgresql.port)]


def test_each_database_is_a_test_s_own(postgresql: PostgreSQLServer, database: str) -> None:
    with fresh_database(postgresql.url) as other:
        keep(database, 1)
        keep(other, 2)
        assert (values(database), values(other)) == ([1], [2])
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


@pytest.mark.parametrize("end", [PostgreSQLServer.stop, PostgreSQLServer.kill])
def test_what_was_committed_is_there_after_a_stop_and_a_kill(
    postgresql: PostgreSQLServer, database: str, end: Callable[[PostgreSQLServer], None]
) -> None:
    with psycopg.connect(database) as idle:
        keep(database, 1)
        end(postgresql)
        with pytest.raises(psycopg.OperationalError, match="refused"):
            psycopg.connect(database)
        postgresql.start()
        keep(database, 2)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    assert values(database) == [1, 2]


def test_a_kill_ends_a_busy_backend_too_and_the_next_start_finds_its_memory_free(
    postgresql: PostgreSQLServer, database: str
) -> None:
    with psycopg.connect(database) as connection, ThreadPoolExecutor(1) as thread:
        backend = psutil.Process(connection.info.backend_pid)
        answer = thread.submit(connection.execute, "SELECT count(*) FROM generate_series(1, 1e12)")
        assert eventually(lambda: backend.cpu_times().user > BUSY_SECONDS)
        postgresql.kill()
        survivors = [backend] if is_alive(backend) else []
        for survivor in survivors:
            survivor.kill()
        with pytest.raises(psycopg.OperationalError, match="closed the connection"):
            answer.result()
    assert survivors == []
    postgresql.start()
    keep(database, 1)


def test_a_setting_is_taken_and_a_wrong_one_is_told() -> None:
    with PostgreSQLServer({"max_connections": "7"}) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("7",)
    with pytest.raises(ServerStartError, match=r'(?s)ended with code 1.*"no_such_setting"'):
        PostgreSQLServer({"no_such_setting": "1"}).__enter__()
