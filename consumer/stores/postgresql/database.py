"""One process's connections to a database, and transactions on them.

A pool of our own, since psycopg_pool's keeps to itself why it has no connection, and tries again inside while
the lanes, which know how to wait for a store, wait for the pool. Here a connection is opened by who needs it,
and its error is told at once, in the server's words.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg

from consumer.errors import Unavailable
from consumer.stores.postgresql.address import parsed
from consumer.stores.postgresql.connecting import Connection, Cursor, Limits, Row, Statement, connect
from consumer.stores.postgresql.faults import BROKEN_BY_NOBODY, CONTENTION, blame, is_of_the_record

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.02
_BEGIN, _COMMIT, _ROLLBACK = Statement("BEGIN"), Statement("COMMIT"), Statement("ROLLBACK")


class Session:
    """A transaction; it begins with the first statement."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._has_begun = False

    async def run(self, *statements: Statement) -> list[list[Row]]:
        """Carry out statements in one round trip; the rows of each."""
        return [
            await cursor.fetchall() if cursor.description else [] for cursor in await self._run(statements)
        ]

    async def types(self, statement: Statement) -> list[tuple[int, int]]:
        """The object id and modifier of each column's type in what a statement gives."""
        (cursor,) = await self._run((statement,))
        result = cursor.pgresult
        return [(result.ftype(at), result.fmod(at)) for at in range(result.nfields)] if result else []

    async def commit(self) -> None:
        """End it; what it has done is there for all to see."""
        if self._has_begun:
            await self._connection.run(_COMMIT)

    async def _run(self, statements: Sequence[Statement]) -> Sequence[Cursor]:
        if self._has_begun:
            return await self._connection.run(*statements)
        self._has_begun = True
        _, *cursors = await self._connection.run(_BEGIN, *statements)
        return cursors


class Database:
    """Connections are opened when they are needed, and kept while they are good."""

    def __init__(
        self, address: str, *, connections: int, uniform: Callable[[], float], limits: Limits | None = None
    ) -> None:
        """Connect to nothing yet.

        Args:
            address: a libpq connection string or URI.
            connections: at most so many at once.
            uniform: a random number in [0, 1), for jitter.
            limits: how long things may take.

        Raises:
            SettingsError: the address is none.
        """
        parsed(address)
        self._address = address
        self._limits = limits or Limits()
        self._uniform = uniform
        self._most = connections
        self._permits = asyncio.Semaphore(connections)
        self._idle: list[Connection] = []

    def allow(self, connections: int) -> None:
        """Let there be so many at once, if there may be fewer now."""
        for _ in range(connections - self._most):
            self._permits.release()
        self._most = max(self._most, connections)

    async def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Carry out work, and commit; whatever it raises, nothing of it is done.

        It is done anew after a dead-lock and its like, and where a connection turns out to be an old one. So
        it may happen that it was committed once before, where the answer to that got lost.

        Raises:
            Rejected: the values are at fault.
            Unavailable: the database is, or nobody; `of_item` where other transactions were in the way.
        """
        pauses, old = 0, self._most
        while True:
            async with self._permits:
                is_old = bool(self._idle)
                try:
                    return await self._carry_out(work)
                except psycopg.Error as error:
                    if pauses < CONTENTION.get(error.sqlstate or "", 0):
                        pauses += 1
                    elif is_old and old and _is_lost(error):
                        old -= 1
                        continue
                    else:
                        raise blame(error) from error
            await asyncio.sleep(self._uniform() * _FIRST_PAUSE_SECONDS * 2**pauses)

    async def _carry_out(self, work: Callable[[Session], Awaitable[T]]) -> T:
        connection = self._idle.pop() if self._idle else await connect(self._address, self._limits)
        with _limited(connection, self._limits.transaction):
            try:
                session = Session(connection)
                result = await work(session)
                await session.commit()
            except psycopg.Error as error:
                await self._take_back(connection, is_good=_leaves_it_good(error))
                raise
            except Exception:
                await self._take_back(connection, is_good=True)
                raise
            except BaseException:  # cancelled: nothing more is waited for
                await connection.close()
                raise
        self._idle.append(connection)
        return result

    async def _take_back(self, connection: Connection, *, is_good: bool) -> None:
        if is_good and not connection.is_closed and not connection.is_idle:
            with suppress(psycopg.Error):
                await connection.run(_ROLLBACK)
        if is_good and not connection.is_closed and connection.is_idle:
            self._idle.append(connection)
            return
        await connection.close()
        # What broke one has mostly broken all; and after a failover all are to the wrong server.
        await self.close()


def _leaves_it_good(error: psycopg.Error) -> bool:
    return is_of_the_record(error) or error.sqlstate in BROKEN_BY_NOBODY


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the connection went, rather than a statement on it."""
    return isinstance(error, (psycopg.OperationalError, psycopg.InternalError)) and not _leaves_it_good(error)


@contextmanager
def _limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Close the connection's socket under whoever waits for it too long; that is then told as Unavailable."""
    is_late = False

    def end() -> None:
        nonlocal is_late
        is_late = True
        connection.cut()

    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        yield
    except psycopg.Error as error:
        if is_late:
            message = f"PostgreSQL did not answer within {seconds:g} s"
            raise Unavailable(message, code="NoAnswer") from error
        raise
    finally:
        timer.cancel()
