"""One server of each kind for the whole run, started by the first test that asks for it."""

import os
from collections.abc import Iterator

import pytest

from tests.support.servers.opensearch import VERSION, OpenSearchServer, fresh_indices
from tests.support.servers.opensearch_jars import MavenMissingError
from tests.support.servers.postgresql import PostgreSQLServer, fresh_database

POSTGRESQL_VARIABLE = "TIDEMARK_TEST_POSTGRESQL"
"""The URL of another server for the tests that stop none: PostgreSQL 14 or newer, a role with CREATEDB."""

OPENSEARCH_VERSION_VARIABLE = "TIDEMARK_TEST_OPENSEARCH_VERSION"
"""One of opensearch_jars.RUNNERS, for another than the newest."""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    with PostgreSQLServer() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    """The server of the run: for tests that stop or kill it, or come to it by a Link. It is left running."""
    yield postgresql_server
    postgresql_server.start()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of the test's own; on the server `postgresql`, if the test has that."""
    url = os.environ.get(POSTGRESQL_VARIABLE)
    if url is None or "postgresql" in request.fixturenames:
        server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
        with fresh_database(server.url) as database_url:
            yield database_url
            server.start()
    else:
        with fresh_database(url) as database_url:
            yield database_url


@pytest.fixture(scope="session")
def opensearch_server() -> Iterator[OpenSearchServer]:
    try:
        server = OpenSearchServer(os.environ.get(OPENSEARCH_VERSION_VARIABLE, VERSION))
    except MavenMissingError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def opensearch(opensearch_server: OpenSearchServer) -> Iterator[OpenSearchServer]:
    """The server of the run; a test may stop and kill it. It is left running."""
    yield opensearch_server
    opensearch_server.start()


@pytest.fixture
def index_prefix(opensearch_server: OpenSearchServer) -> Iterator[str]:
    """Begins the names of a test's indices, which are deleted after it."""
    with fresh_indices(opensearch_server) as prefix:
        yield prefix
