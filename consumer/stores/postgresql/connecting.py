"""Connections that can't hang: what is frozen or gone, on either side, ends by itself.

PostgreSQL documentation: "Client Connection Defaults", "Database Connection Control Functions".

    network gone while an answer is awaited      keepalives
    network gone while something is sent         tcp_user_timeout
    the server stuck, its kernel alive           the limit of a whole transaction, in database.py
    ourselves frozen, holding row locks          idle_in_transaction_session_timeout
    another one frozen, holding row locks        lock_timeout
"""

import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from consumer.stores.postgresql.address import parsed

Row = tuple[object, ...]
Cursor = psycopg.AsyncCursor[Row]
_Raw = psycopg.AsyncConnection[Row]


class Statement(NamedTuple):
    """A statement, and the values of its `$1`, `$2`, and so on."""

    text: str
    values: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds.

    Attributes:
        connect: to connect, for each of a host's addresses.
        network: without a word from the server's machine.
        idle: between two statements of a transaction; the server then ends it, and its locks go.
        lock: to wait for a row that another transaction has locked.
        statement: one statement, its waiting for locks included.
        transaction: a whole transaction; after that the connection is closed.
    """

    connect: int = 10
    network: int = 20
    idle: float = 10.0
    lock: float = 15.0
    statement: float = 30.0
    transaction: float = 60.0


_SETTINGS = (
    ("default_transaction_isolation", "read committed"),  # of which the ledger's locks are made
    ("plan_cache_mode", "force_custom_plan"),  # a plan made while a table was empty serves it badly later
    ("timezone", "UTC"),
    ("datestyle", "ISO"),
)


class Connection:
    """A connection in pipeline mode, from its beginning to its end.

    What psycopg does at a pipeline's end would keep the server from ever ending an idle transaction: it sends
    a Flush behind the Sync, and a server that is sent something stops its clock (tried on PostgreSQL 18).
    """

    def __init__(self, raw: _Raw) -> None:
        self._raw = raw
        self._pipelined = AsyncExitStack()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or found to be broken."""
        return self._raw.closed

    @property
    def is_idle(self) -> bool:
        """Whether it is ready for a transaction."""
        return self._raw.info.transaction_status == TransactionStatus.IDLE

    async def run(self, *statements: Statement) -> list[Cursor]:
        """Carry out statements in one round trip.

        Raises:
            psycopg.Error: of the first that fails; what comes behind it is not carried out.
        """
        cursors: list[Cursor] = []
        try:
            for statement in statements:
                cursor = self._raw.cursor()
                await cursor.execute(statement.text.encode(), statement.values)
                cursors.append(cursor)
        except psycopg.Error:
            with suppress(psycopg.Error):
                await self._pipeline.sync()
            raise
        await self._pipeline.sync()
        return cursors

    async def enter(self) -> None:
        """Begin the pipeline."""
        self._pipeline = await self._pipelined.enter_async_context(self._raw.pipeline())

    async def close(self) -> None:
        """Close it at once, whatever is under way."""
        await self._raw.close()
        with suppress(psycopg.Error):
            await self._pipelined.aclose()

    def cut(self) -> None:
        """End the wait of whoever waits for it: they are told that the connection is gone."""
        if not self._raw.closed:
            with socket.socket(fileno=os.dup(self._raw.fileno())) as ours:
                ours.shutdown(socket.SHUT_RDWR)


async def connect(address: str, limits: Limits) -> Connection:
    """Open a connection; what the address itself says of time-outs stays as it says.

    Raises:
        psycopg.Error: it can't be had.
        SettingsError: see `parsed`.
    """
    unacknowledged = max(1, limits.network // 4)
    defaults: dict[str, str | int] = {
        "connect_timeout": limits.connect,
        "tcp_user_timeout": limits.network * 1000,
        "keepalives": 1,
        "keepalives_idle": unacknowledged,
        "keepalives_interval": unacknowledged,
        "keepalives_count": 3,
        "fallback_application_name": "tidemark",
    }
    raw: _Raw = await psycopg.AsyncConnection.connect(
        make_conninfo("", **{**defaults, **parsed(address)}),
        autocommit=True,
        prepare_threshold=None,  # what psycopg prepares in a pipeline it may forget to have deallocated
        cursor_factory=psycopg.AsyncRawCursor,
    )
    settings = (
        *_SETTINGS,
        ("idle_in_transaction_session_timeout", _milliseconds(limits.idle)),
        ("lock_timeout", _milliseconds(limits.lock)),
        ("statement_timeout", _milliseconds(limits.statement)),
    )
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings)
    connection = Connection(raw)
    try:
        await raw.execute(f"SELECT {calls}".encode())
        await connection.enter()
    except BaseException:
        await connection.close()
        raise
    return connection


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
