"""Our own clients for the sandbox, as the checkpoint room is handed them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from checkpoint.api import Api
from consumer.aws.clients import Clients
from sandbox.process import SandboxProcess
from tests.support.aws import clients_of


@pytest_asyncio.fixture
async def clients(sandbox: SandboxProcess) -> AsyncIterator[Clients]:
    async with clients_of(sandbox) as opened:
        yield opened


@pytest.fixture
def dynamodb(clients: Clients) -> Api:
    return clients.client("dynamodb", "us-east-1")


@pytest.fixture
def kinesis(clients: Clients) -> Api:
    return clients.client("kinesis", "us-east-1")


async def no_pause(_seconds: float) -> None:
    """Tests do not wait."""
