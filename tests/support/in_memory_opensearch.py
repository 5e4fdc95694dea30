"""OpenSearch as far as a sink of documents needs it, in memory: one index, bulks by external versions, reads,
and searches as of the last refresh.

Every document of a bulk is one atomic step, as in OpenSearch; what happens between two requests, and between
a request's effect and its answer, is up to the test.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, cast

import orjson

from consumer.stores.opensearch.cluster import JSON, Answer

Pause = Callable[[str], Awaitable[None]]
"""Awaited with the name of a request before it takes effect, and before its answer."""


class Kept(NamedTuple):
    """A document."""

    version: int
    source: dict[str, object]


async def _at_once(_what: str) -> None:
    """No pause: the request is carried out where it is made."""


class InMemoryOpenSearch:
    """One index; meets Cluster."""

    def __init__(self, documents: dict[str, Kept] | None = None, pause: Pause = _at_once) -> None:
        self.documents: dict[str, Kept] = {} if documents is None else documents
        self.calls: list[str] = []
        self.away: set[str] = set()
        """Ids of a shard that no search can ask: it leaves them out, or fails where it may not."""
        self._searchable = dict(self.documents)
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
        carry_out = {
            "_bulk": self._bulk,
            "_mget": self._mget,
            "_refresh": self._refresh,
            "_search": self._search,
        }
        if what == "_search" and self.away and (query or {}).get("allow_partial_search_results") == "false":
            return Answer(503, {"error": {"type": "search_phase_execution_exception"}})
        answer = carry_out[what](body)
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

    def _refresh(self, body: bytes) -> object:
        assert not body
        self._searchable = dict(self.documents)
        return {"_shards": {"failed": 0}}

    def _search(self, body: bytes) -> object:
        """As of the last refresh: what one term finds, but for another and some ids."""
        asked = orjson.loads(body)
        ((has,), (lacks, others)) = asked["query"]["bool"]["filter"], asked["query"]["bool"]["must_not"]
        hidden = self.away | set(others["ids"]["values"])
        found = [
            name
            for name, document in self._searchable.items()
            if name not in hidden and _matches(document.source, has) and not _matches(document.source, lacks)
        ]
        # By filter_path nothing is left of an answer that found nothing.
        return {"hits": {"hits": [{"_id": name} for name in found[: asked["size"]]]}} if found else {}


def _matches(source: Mapping[str, object], query: Mapping[str, Mapping[str, object]]) -> bool:
    ((path, wanted),) = query["term"].items()
    value: object = source
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value == wanted


def _got(held: Kept | None) -> object:
    return {"found": False} if held is None else {"found": True, "_source": held.source}
