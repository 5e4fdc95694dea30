"""The clients of one process, over the connections they share."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import as_file, files

import aiohttp
import botocore.session

from consumer.aws.client import AwsClient, CallPolicy
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
        self._credentials = credentials
        self._policy = policy
        self._made: dict[tuple[str, str], AwsClient] = {}

    def client(self, service: str, region: str) -> AwsClient:
        """The client of a service (dynamodb, kinesis) in a region."""
        key = (service, region)
        if key not in self._made:
            self._made[key] = AwsClient(
                service=service_named(service),
                region=region,
                url=self._endpoint_url(service, region),
                session=self._session,
                credentials=self._credentials,
                policy=self._policy,
            )
        return self._made[key]


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
    connector = aiohttp.TCPConnector(limit=connections, ssl=_trust())
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "tidemark", "Accept-Encoding": "identity", "Accept": "*/*"},
        auto_decompress=False,
    ) as session:
        yield Clients(endpoint_url, session, credentials or CredentialsProvider(), policy or CallPolicy())


def _trust() -> ssl.SSLContext:
    """As boto3: AWS_CA_BUNDLE or the profile's `ca_bundle`, else the certificates that botocore brings."""
    bundle = botocore.session.Session().get_config_variable("ca_bundle")
    if bundle:
        return ssl.create_default_context(cafile=bundle)
    with as_file(files("botocore") / "cacert.pem") as path:
        return ssl.create_default_context(cafile=path)
