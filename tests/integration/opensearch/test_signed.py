"""Requests for Amazon OpenSearch Service are signed as they are sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from consumer.aws.clients import open_clients
from consumer.aws.signer import Credentials
from consumer.errors import SettingsError
from consumer.settings.stores import OpenSearchIndex
from consumer.stores.opened import Stores
from consumer.stores.opensearch.index import Document, Index, Kept

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "a-token")


class Source:
    """Where the clients get their keys."""

    def __init__(self) -> None:
        self.discarded: list[Credentials] = []

    async def current(self) -> Credentials:
        return KEYS

    def discard(self, refused: Credentials) -> None:
        self.discarded.append(refused)


class Domain:
    """A domain that takes what is signed for it, and nothing else."""

    def __init__(self) -> None:
        self.port = 0
        self.takes = True

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.takes or request.headers.get("Authorization") != self._wanted(request, body):
            return web.json_response({"message": "The request signature does not match."}, status=403)
        return web.json_response({"items": [{"index": {"status": 201}}]})

    def _wanted(self, request: web.Request, body: bytes) -> str:
        """What botocore's signer says of the request as it came."""
        signed = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        headers = {name: request.headers[name] for name in signed}
        url = f"http://{request.headers['Host']}{request.raw_path}"
        aws = AWSRequest(method=request.method, url=url, data=body, headers=headers)
        aws.context["timestamp"] = request.headers["X-Amz-Date"]
        signer = SigV4Auth(
            BotocoreCredentials(KEYS.access_key, KEYS.secret_key, KEYS.token), "es", "us-east-1"
        )
        text = signer.string_to_sign(aws, signer.canonical_request(aws))
        scope = f"{KEYS.access_key}/{signer.credential_scope(aws)}"
        return (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(signed)}, "
            f"Signature={signer.signature(text, aws)}"
        )


@asynccontextmanager
async def serving(domain: Domain) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", domain.serve)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/some/path"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(source: Source) -> AsyncIterator[Stores]:
    async with open_clients(lambda *_: "http://there", credentials=source) as clients:
        stores = Stores(clients, {})
        try:
            yield stores
        finally:
            await stores.close()


async def test_a_signature_is_of_the_request_as_it_is_sent() -> None:
    source, domain = Source(), Domain()
    async with serving(domain) as url, opened(source) as stores:
        store = OpenSearchIndex(url=url, index="view", sigv4="es", region="us-east-1")
        index = Index(stores.opensearch(store), "view-v1")
        assert await index.write([Document("é|1", 5, b"{}")]) == [Kept.WRITTEN]
        assert source.discarded == []
        domain.takes = False
        (ended,) = await index.write([Document("é|1", 5, b"{}")])
        assert "the user may not do this" in str(ended)
        assert "The request signature does not match." in str(ended)
    assert source.discarded == [KEYS]


async def test_the_region_is_that_of_the_domains_address_or_has_to_be_said() -> None:
    async with opened(Source()) as stores:
        of_aws = OpenSearchIndex(url="https://search-x.eu-west-1.es.amazonaws.com", index="view", sigv4="es")
        assert stores.opensearch(of_aws) is stores.opensearch(of_aws)
        custom = of_aws.model_copy(update={"url": "https://search.example.com"})
        with pytest.raises(SettingsError, match=r"region: 'search\.example\.com' names none"):
            stores.opensearch(custom)
        assert stores.opensearch(custom.model_copy(update={"region": "eu-west-1"})) is not None
