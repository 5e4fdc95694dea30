"""A DynamoDB endpoint in a process of its own: says yes to every PutItem 5 ms after it came, and keeps watch.

It stands for AWS's distance, not for its judgement: no condition is looked at, but of each key are watched
the versions that come, and that no two writes are under way at once. As little CPU as may be, since it shares
the machine with what is measured.
"""

import asyncio
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import orjson

from benchmarks.child_server import open_child_server
from consumer.attributes import RESERVED

_ANSWER_SECONDS = 0.005
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"
_WRITTEN = _HEAD % (b"200 OK", 2) + b"{}"
_FAILED = _HEAD % (b"500 Internal Server Error", 2) + b"{}"


@dataclass(slots=True)
class Watch:
    """What came. `newest`: each key's newest version, in microseconds."""

    puts: int = 0
    older_after_newer: int = 0
    two_at_once: int = 0
    newest: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SlowEndpoint:
    """Where it listens, and what it says of the traffic."""

    url: str

    def watch(self) -> Watch:
        """What came since its start."""
        with urllib.request.urlopen(self.url + "/watch") as answer:  # noqa: S310 - our own child
            return Watch(**json.load(answer))


@contextmanager
def open_slow_endpoint(behaviour: str = "writes") -> Iterator[SlowEndpoint]:
    """Start it; `behaviour`: writes, fails (a 500 for each call) or hangs (never an answer)."""
    with open_child_server("benchmarks.slow_endpoint", behaviour) as port:
        yield SlowEndpoint(f"http://127.0.0.1:{port}")


class _Connection(asyncio.Protocol):
    """One client's connection; a request at a time."""

    def __init__(self, behaviour: str, watch: Watch, under_way: set[str]) -> None:
        self._behaviour = behaviour
        self._watch = watch
        self._under_way = under_way
        self._received = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= size:
            request, self._received = self._received[:size], self._received[size:]
            self._take(request, request[end + 4 :])

    def _take(self, request: bytes, body: bytes) -> None:
        if request.startswith(b"GET /watch "):
            report = orjson.dumps(asdict(self._watch))
            self._transport.write(_HEAD % (b"200 OK", len(report)) + report)
        elif self._behaviour == "fails":
            self._transport.write(_FAILED)
        elif self._behaviour == "writes":
            key = self._note(body)
            self._loop.call_later(_ANSWER_SECONDS, self._written, key)

    def _note(self, body: bytes) -> str:
        watch, item = self._watch, orjson.loads(body)["Item"]
        key: str = item["orderId"]["S"]
        version = int(item[RESERVED]["M"]["v"]["N"])
        watch.puts += 1
        watch.older_after_newer += version < watch.newest.get(key, 0)
        watch.two_at_once += key in self._under_way
        watch.newest[key] = max(version, watch.newest.get(key, 0))
        self._under_way.add(key)
        return key

    def _written(self, key: str) -> None:
        self._under_way.discard(key)
        self._transport.write(_WRITTEN)


async def _serve(behaviour: str) -> None:
    loop = asyncio.get_running_loop()
    watch, under_way = Watch(), set[str]()
    server = await loop.create_server(lambda: _Connection(behaviour, watch, under_way), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us is done, or dead


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
