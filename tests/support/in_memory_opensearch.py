"""OpenSearch as far as a sink of documents needs it, in memory: one index, bulks by external versions, reads.

Every document of a bulk is one atomic step, as in OpenSearch; what happens between two requests, and between
a request's effect and its answer, is up to the test.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, cast

import orjson

from consumer.stores.opensearch.cluster import JSON, Answer


class Kept(NamedTuple):
    """A document."""

    version: int
    source: dict[str, object]


async def _at_once(_what: str) -> None:
    """No pause: the request is carried out where it is made."""


class InMemoryOpenSearch:
    """One index; meets Cluster. `pause` is awaited before a request takes effect, and before its answer."""

    def __init__(
        self, documents: dict[str, Kept] | None = None, pause: Callable[[str], Awaitable[None]] = _at_once
    ) -> None:
        self.documents: dict[str, Kept] = {} if documents is None else documents
        self.calls: list[str] = []
        self._pause = pause

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        content_type: str = JSON,
    ) -> Answer:
        """Carry out one request."""
        what = path.rpartition("/")[2]
        await self._pause(what)
        self.calls.append(what)
        answer = {"_bulk": self._bulk, "_mget": self._mget}[what](body)
        await self._pause(what)
        return Answer(200, answer)

    def _bulk(self, body: bytes) -> object:
        lines = [cast("dict[str, object]", orjson.loads(line)) for line in body.splitlines()]
        assert body.endswith(b"\n")
        return {
            "items": [
                {"index": self._index(cast("dict[str, object]", action["index"]), source)}
                for action, source in zip(lines[::2], lines[1::2], strict=True)
            ]
        }

    def _index(self, action: Mapping[str, object], source: dict[str, object]) -> object:
        name, version = str(action["_id"]), cast("int", action["version"])
        assert action["version_type"] == "external"
        held = self.documents.get(name)
        if held is not None and held.version >= version:
            return {"status": 409, "error": {"type": "version_conflict_engine_exception"}}
        self.documents[name] = Kept(version, source)
        return {"status": 201 if held is None else 200}

    def _mget(self, body: bytes) -> object:
        return {"docs": [_got(self.documents.get(name)) for name in orjson.loads(body)["ids"]]}


def _got(held: Kept | None) -> object:
    return {"found": False} if held is None else {"found": True, "_source": held.source}
