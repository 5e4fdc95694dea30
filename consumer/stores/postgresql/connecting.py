"""Connections that can't hang: what is frozen or gone, on either side, ends by itself.

PostgreSQL documentation: "Client Connection Defaults", "Database Connection Control Functions".

    network gone while an answer is awaited      keepalives
    network gone while something is sent         tcp_user_timeout
    the server stuck, its kernel alive           the limit of a whole transaction, in database.py
    ourselves frozen, holding row locks          idle_in_transaction_session_timeout
    another one frozen, holding row locks        lock_timeout
"""

from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo

from consumer.stores.postgresql.address import parsed

Connection = psycopg.AsyncConnection[tuple[object, ...]]


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
    connection: Connection = await psycopg.AsyncConnection.connect(
        make_conninfo("", **{**defaults, **parsed(address)}),
        autocommit=True,
        prepare_threshold=0,
        cursor_factory=psycopg.AsyncRawCursor,
    )
    settings = (
        *_SETTINGS,
        ("idle_in_transaction_session_timeout", _milliseconds(limits.idle)),
        ("lock_timeout", _milliseconds(limits.lock)),
        ("statement_timeout", _milliseconds(limits.statement)),
    )
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings)
    try:
        await connection.execute(f"SELECT {calls}".encode())
        await connection.set_autocommit(False)
    except BaseException:
        await connection.close()
        raise
    return connection


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
