"""OpenSearch with too much to do: a proxy that refuses writes as a node does whose queue is full.

OpenSearch documentation, "Shard indexing backpressure"; a bulk answers for each of its documents.
"""

from http import HTTPStatus
from types import TracebackType
from typing import Literal, NamedTuple, Self

import aiohttp
import orjson
from aiohttp import web

Refuses = Literal["nothing", "requests", "documents"]

_MOST_BYTES = 64 * 1024 * 1024
_REASON = {
    "type": "opensearch_rejected_execution_exception",
    "reason": "rejected execution of coordinating operation",
}
_TOO_MANY = {"error": {"root_cause": [_REASON], **_REASON}, "status": HTTPStatus.TOO_MANY_REQUESTS}


class _Write(NamedTuple):
    """One document of a bulk: what is to be done, and the document, a line each."""

    action: bytes
    source: bytes


class BusyProxy:
    """Listens on 127.0.0.1 while it is entered, on the event loop that entered it.

    `refuses` is what it refuses every second of; `refused` counts documents, and bulk requests as one.
    """

    port: int
    """Where clients connect; known once it is entered."""

    def __init__(self, server_url: str) -> None:
        self.refuses: Refuses = "nothing"
        self.refused = 0
        self._server = server_url
        self._turn = 0

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession()
        application = web.Application(client_max_size=_MOST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        is_bulk = request.path.endswith("/_bulk")
        if is_bulk and self.refuses == "documents":
            return await self._half(request, body)
        if is_bulk and self.refuses == "requests" and self._is_refused():
            return web.json_response(_TOO_MANY, status=HTTPStatus.TOO_MANY_REQUESTS)
        status, answer = await self._forward(request, body)
        return web.Response(status=status, body=answer, content_type="application/json")

    async def _half(self, request: web.Request, body: bytes) -> web.Response:
        lines = body.splitlines()
        writes = [_Write(*pair) for pair in zip(lines[0::2], lines[1::2], strict=True)]
        kept = [None if self._is_refused() else write for write in writes]
        passed = [line for write in kept if write is not None for line in write]
        answers = iter(())
        if passed:
            status, answer = await self._forward(request, b"\n".join(passed) + b"\n")
            if status != HTTPStatus.OK:
                return web.Response(status=status, body=answer, content_type="application/json")
            answers = iter(orjson.loads(answer)["items"])
        too_many = {"index": {"status": HTTPStatus.TOO_MANY_REQUESTS, "error": _REASON}}
        items = [too_many if write is None else next(answers) for write in kept]
        return web.json_response({"errors": True, "items": items})

    def _is_refused(self) -> bool:
        self._turn += 1
        self.refused += self._turn % 2
        return self._turn % 2 == 1

    async def _forward(self, request: web.Request, body: bytes) -> tuple[int, bytes]:
        """As it came, to the server; a server that is away is a bad gateway."""
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        url = f"{self._server}{request.path_qs}"
        try:
            async with self._client.request(request.method, url, data=body, headers=headers) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientError:
            return HTTPStatus.BAD_GATEWAY, b""
