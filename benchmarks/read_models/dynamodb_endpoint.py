"""DynamoDB in memory behind HTTP, in a process of its own: each call is answered 5 ms after it came.

It stands for AWS's distance, and for its judgement: conditions, transactions and their limits are those that
the tests hold to the documentation.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from aiohttp import web

from benchmarks.child_server import open_child_server
from consumer.errors import Rejected
from tests.support.in_memory_dynamodb import CANCELLED, CONDITION_FAILED, InMemoryDynamoDB, Table

_ANSWER_SECONDS = 0.005
_CONTENT_TYPE = "application/x-amz-json-1.0"


@contextmanager
def open_dynamodb_endpoint(**keys: str) -> Iterator[str]:
    """Start it with tables, each with its one key attribute; gives its address."""
    with open_child_server(__name__, orjson.dumps(keys).decode()) as port:
        yield f"http://127.0.0.1:{port}"


class _Endpoint:
    def __init__(self, keys: dict[str, str]) -> None:
        self._dynamodb = InMemoryDynamoDB({name: Table(key) for name, key in keys.items()})

    async def answer(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        body = await request.read()
        if operation == "Scan":
            rows = self._dynamodb.tables[orjson.loads(body)["TableName"]].rows
            return _response(200, {"Items": list(rows.values())})
        code: str | None
        try:
            content, code = await self._dynamodb.call(operation, body, expect=(CANCELLED, CONDITION_FAILED))
        except Rejected as error:
            content, code = {"message": str(error)}, error.code
        await asyncio.sleep(_ANSWER_SECONDS)
        return _response(200, content) if code is None else _response(400, {"__type": code, **content})


def _response(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type=_CONTENT_TYPE)


async def _serve(keys: dict[str, str]) -> None:
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/", _Endpoint(keys).answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us is done, or dead
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(orjson.loads(sys.argv[1])))
