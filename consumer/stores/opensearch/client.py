"""One cluster, by opensearch-py's connection over aiohttp: no retries of its own, every answer as it came."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import ConnectionError as NotReached
from opensearchpy.exceptions import OpenSearchException, TransportError
from opensearchpy.serializer import Serializer

from consumer.errors import Unavailable
from consumer.settings.clusters import Address
from consumer.stores.opensearch.cluster import JSON, Answer

CONNECTIONS = 32
"""Most requests under way at once in one process; more wait for one to end."""

TIMEOUT_SECONDS = 30.0

_NOT_ALLOWED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Signer(Protocol):
    """Says in each request's headers who asks."""

    async def headers(self, method: str, url: str, body: bytes, content_type: str) -> Mapping[str, str]:
        """For the URL as it is sent.

        Raises:
            Unavailable: there are no keys to be had now.
        """
        ...

    def refused(self) -> None:
        """The service would not take the last signature."""
        ...


class _AsItCame(Serializer):
    """Bodies are bytes and text already: numbers keep their digits, and nothing is decoded twice."""

    mimetype = JSON

    def loads(self, s: str) -> str:
        return s

    def dumps(self, data: bytes) -> bytes:
        return data


class OpenSearch:
    """One cluster; meets Cluster."""

    def __init__(self, address: Address, signer: Signer | None = None) -> None:
        """Connect at the first request, in the event loop that makes it.

        Args:
            address: the cluster's.
            signer: for Amazon OpenSearch Service, where IAM says who may do what.
        """
        self.address = address
        self._signer = signer
        self._client = AsyncOpenSearch(
            hosts=[{"host": address.host, "port": address.port}],
            use_ssl=address.is_secure,
            url_prefix=address.prefix,
            http_auth=address.login,
            serializer=_AsItCame(),
            max_retries=0,
            maxsize=CONNECTIONS,
            timeout=TIMEOUT_SECONDS,
        )

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        content_type: str = JSON,
    ) -> Answer:
        """Carry out one request; see Cluster."""
        headers = {"content-type": content_type}
        params = dict(query or {})
        if self._signer is not None:
            url = f"{self.address.shown}{path}" + (f"?{urlencode(params)}" if params else "")
            headers.update(await self._signer.headers(method, url, body, content_type))
        try:
            text = await self._client.transport.perform_request(
                method, path, params, body or None, headers=headers
            )
        except NotReached as error:
            why = str(error.info) or f"not within {TIMEOUT_SECONDS:g} s"
            message = f"opensearch at {self.address.shown} does not answer: {why}"
            raise Unavailable(message, code=type(error.info).__name__) from error
        except TransportError as error:
            if self._signer is not None and error.status_code in _NOT_ALLOWED:
                self._signer.refused()
            return Answer(int(error.status_code), error.info or error.error)
        except OpenSearchException as error:
            message = f"what answers at {self.address.shown} is not OpenSearch: {error}"
            raise Unavailable(message, code="NotOpenSearch") from error
        return Answer(200, _decoded(text, self.address))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _decoded(text: object, address: Address) -> object:
    if not isinstance(text, str):
        return {}
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        message = f"what answers at {address.shown} is not OpenSearch: {text[:200]!r}"
        raise Unavailable(message, code="NotOpenSearch") from error
