"""One AWS service in one region, by its JSON protocol."""

import asyncio
import random
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import aiohttp
import orjson
from yarl import URL

from consumer.aws.credentials import CredentialsSource
from consumer.aws.services import Service, is_about_size
from consumer.aws.signer import Credentials, Signer
from consumer.errors import Rejected, Unavailable

_OK = 200
_FIRST_SERVER_ERROR = 500

_SKEW_CODES = frozenset(
    {
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
_SKEW_WORTH_CORRECTING_SECONDS = 240.0
"""Services allow five minutes: a signature refused within four of them is wrong for another reason."""

_STALE_KEYS_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"})


class Answer(NamedTuple):
    """The decoded body, and the error's code if it was one the caller expects."""

    body: dict[str, Any]
    error: str | None


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How long an attempt may take, and how many quick ones a call makes. Times in seconds."""

    connect_timeout: float = 3.0
    total_timeout: float = 10.0
    retries: int = 3
    retry_base: float = 0.05


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is called.

    Attributes:
        region: what requests are signed for.
        url: the endpoint.
        trust: whose certificates are believed there; None: not by TLS.
    """

    region: str
    url: str
    trust: ssl.SSLContext | None = None


class _Reply(NamedTuple):
    """One attempt's end; `status` 0 means that no answer came, and `code` is the transport error's name."""

    status: int
    code: str
    body: dict[str, Any]
    date: str | None = None

    @property
    def message(self) -> str:
        return str(self.body.get("message") or self.body.get("Message") or "no message")


class AwsClient:
    """Calls a service's operations; meets `checkpoint.api.Api`.

    Args:
        service: its row in the table of services.
        address: the region and its endpoint.
        session: the shared connections.
        credentials: keys for each request.
        policy: time-outs and quick retries.
        clock: Unix seconds.
        uniform: a random number in [0, 1), for the retries' jitter.
    """

    def __init__(
        self,
        *,
        service: Service,
        address: Address,
        session: aiohttp.ClientSession,
        credentials: CredentialsSource,
        policy: CallPolicy,
        clock: Callable[[], float] = time.time,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.region = address.region
        self._service = service
        self._url = URL(address.url)
        self._session = session
        self._credentials = credentials
        self._policy = policy
        self._trust = address.trust or True
        self._clock = clock
        self._uniform = uniform
        self._skew_seconds = 0.0
        self._timeout = aiohttp.ClientTimeout(total=policy.total_timeout, sock_connect=policy.connect_timeout)
        self._signer = Signer(
            service=service.name,
            region=address.region,
            url=address.url,
            content_type=service.content_type,
            clock=clock,
        )

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        """Carry out one operation.

        Args:
            operation: such as PutItem.
            request: the parameters, or their JSON already encoded; attribute values in DynamoDB JSON.
            expect: codes that come back as an answer instead of an error.

        Raises:
            Rejected: a code of the service's closed list: the request itself is at fault.
            Unavailable: everything else, after the quick retries where they may help.
        """
        body = request if isinstance(request, bytes) else orjson.dumps(request)
        target = f"{self._service.target_prefix}.{operation}"
        retries = 0
        skew_corrected = False
        while True:
            credentials = await self._credentials.current()
            reply = await self._attempt(target, body, credentials)
            if reply.status == _OK:
                return Answer(reply.body, None)
            if reply.code in expect:
                return Answer(reply.body, reply.code)
            if reply.code in self._service.rejected:
                raise Rejected(
                    f"{self._service.name} {operation}: {reply.message}",
                    code=reply.code,
                    by_store=not is_about_size(reply.message),
                )
            if not skew_corrected and self._corrects_skew(reply):
                skew_corrected = True
                continue
            if reply.code in _STALE_KEYS_CODES:
                self._credentials.discard(credentials)
            if retries == self._policy.retries or not self._may_help(reply):
                raise Unavailable(
                    f"{self._service.name} {operation} in {self.region}: {reply.code}: {reply.message}",
                    code=reply.code,
                )
            await asyncio.sleep(self._uniform() * self._policy.retry_base * 2**retries)
            retries += 1

    async def _attempt(self, target: str, body: bytes, credentials: Credentials) -> _Reply:
        headers = self._signer.headers(target, body, credentials, self._skew_seconds)
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                ssl=self._trust,
                allow_redirects=False,
            ) as response:
                content = await response.read()
                return _reply(response, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _Reply(0, type(error).__name__, {"message": str(error) or type(error).__name__})

    def _may_help(self, reply: _Reply) -> bool:
        return reply.status == 0 or reply.status >= _FIRST_SERVER_ERROR or reply.code in self._service.retried

    def _corrects_skew(self, reply: _Reply) -> bool:
        if reply.code not in _SKEW_CODES or reply.date is None:
            return False
        try:
            theirs = parsedate_to_datetime(reply.date).timestamp()
        except ValueError:
            return False
        skew = theirs - self._clock()
        if abs(skew - self._skew_seconds) < _SKEW_WORTH_CORRECTING_SECONDS:
            return False
        self._skew_seconds = skew
        return True


def _reply(response: aiohttp.ClientResponse, content: bytes) -> _Reply:
    headers = response.headers
    checksum = headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(content)):
        return _Reply(0, "Crc32Mismatch", {"message": "the answer's checksum is not that of its body"})
    try:
        body = orjson.loads(content) if content else {}
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):  # a proxy's page, say
        body = {"message": content[:200].decode("utf-8", "replace")}
        if response.status == _OK:
            return _Reply(0, "NotJson", body)
    if response.status == _OK:
        return _Reply(_OK, "", body)
    code = headers.get("x-amzn-errortype") or body.get("__type") or f"Http{response.status}"
    return _Reply(response.status, str(code).rsplit("#", 1)[-1].split(":", 1)[0], body, headers.get("Date"))
