"""The clients of one process, over the connections they share."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from consumer.aws.client import Address, AwsClient, CallPolicy
from consumer.aws.credentials import CredentialsProvider, CredentialsSource
from consumer.aws.services import service_named


class Clients:
    """The clients of one process: one a service and region, all over the same connections."""

    def __init__(
        self,
        endpoint_url: Callable[[str, str], str],
        session: aiohttp.ClientSession,
        credentials: CredentialsSource,
        policy: CallPolicy,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._session = session
        self.credentials = credentials
        self._policy = policy
        self._trust: ssl.SSLContext | None = None
        self._made: dict[tuple[str, str], AwsClient] = {}

    def client(self, service: str, region: str) -> AwsClient:
        """The client of a service (dynamodb, kinesis) in a region."""
        key = (service, region)
        if key not in self._made:
            url = self._endpoint_url(service, region)
            self._made[key] = AwsClient(
                service=service_named(service),
                address=Address(region, url, self._trusted() if url.startswith("https:") else None),
                session=self._session,
                credentials=self.credentials,
                policy=self._policy,
            )
        return self._made[key]

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            from consumer.aws.chain import trust  # noqa: PLC0415 - 10 MB, only where they are needed

            self._trust = trust()
        return self._trust


@asynccontextmanager
async def open_clients(
    endpoint_url: Callable[[str, str], str],
    *,
    credentials: CredentialsSource | None = None,
    policy: CallPolicy | None = None,
    connections: int = 128,
) -> AsyncIterator[Clients]:
    """Open the shared connections and close them at the end.

    Args:
        endpoint_url: the endpoint of a service in a region.
        credentials: default: botocore's chain.
        policy: time-outs and quick retries.
        connections: most connections at once; a call beyond them waits for one.
    """
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "tidemark", "Accept-Encoding": "identity", "Accept": "*/*"},
        auto_decompress=False,
    ) as session:
        yield Clients(endpoint_url, session, credentials or CredentialsProvider(), policy or CallPolicy())
