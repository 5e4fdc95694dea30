from collections.abc import Iterator

import pytest

from sandbox.process import SandboxProcess
from tests.conformance.targets.in_memory import InMemoryTarget
from tests.conformance.targets.opensearch import IndexTarget
from tests.conformance.targets.postgresql import SqlTarget
from tests.conformance.targets.sandbox import SandboxTarget
from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.postgresql import PostgreSQLServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--examples", type=float, default=1.0, help="how many times as many histories to draw as usually"
    )


@pytest.fixture(scope="session")
def dynamodb_in_memory() -> InMemoryTarget:
    return InMemoryTarget()


@pytest.fixture(scope="session")
def dynamodb_sandbox() -> Iterator[SandboxTarget]:
    with SandboxProcess() as sandbox:
        yield SandboxTarget(sandbox)


@pytest.fixture(scope="session")
def postgresql_table(postgresql_server: PostgreSQLServer) -> SqlTarget:
    return SqlTarget(postgresql_server)


@pytest.fixture(scope="session")
def opensearch_index(opensearch_server: OpenSearchServer) -> IndexTarget:
    return IndexTarget(opensearch_server)
