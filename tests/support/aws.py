"""Our own AWS clients for a test's endpoint."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consumer.aws.client import CallPolicy
from consumer.aws.clients import Clients, open_clients
from consumer.aws.signer import Credentials
from sandbox.process import SandboxProcess


class FixedCredentials:
    """The same keys for ever; counts how often they were called stale."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.discarded = 0

    async def current(self) -> Credentials:
        return self._credentials

    def discard(self, refused: Credentials) -> None:
        assert refused is self._credentials
        self.discarded += 1


@asynccontextmanager
async def clients_of(sandbox: SandboxProcess, policy: CallPolicy | None = None) -> AsyncIterator[Clients]:
    """Clients whose every endpoint is the sandbox."""
    environment = sandbox.environment
    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    async with open_clients(
        lambda _service, _region: sandbox.endpoint, credentials=FixedCredentials(keys), policy=policy
    ) as clients:
        yield clients
