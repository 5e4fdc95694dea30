"""Documents of one index: written at versions of our own, many in a request, each with an answer of its own.

OpenSearch's own pages used: Bulk (`version_type: external`, `require_alias`), Multi-get, Refresh, Search,
Delete by query.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple, TypeVar

import msgspec

from consumer.errors import Rejected, Unavailable
from consumer.stores.opensearch.answers import (
    Failure,
    failure_of,
    unavailable,
    verdict,
    verdict_of_request,
)
from consumer.stores.opensearch.cluster import LINES, Answer, Cluster

MOST_BYTES = 5 * 1024 * 1024
"""In a request: OpenSearch advises 5 to 15 MB, and Amazon's smaller domains take 10 MiB."""

MOST_DOCUMENTS = 1_000

MOST_FOUND = 1_000
"""By one search; an index lets through ten times that, unless somebody lowered `index.max_result_window`."""

_ANSWER = "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
"""The part of a bulk's answer that is read."""


def write_alias(index: str) -> str:
    """The alias through which an index is written.

    A bulk that insists on an alias (`require_alias`) makes no index by accident where this one is gone.
    """
    return f"{index}-write"


class Document(NamedTuple):
    """A document to be written: it takes the place of an older version, and of none that is as new."""

    id: str
    version: int
    source: bytes
    """JSON on one line."""


class Kept(Enum):
    """What became of a document that is neither at fault nor kept waiting."""

    WRITTEN = "written"
    CONFLICT = "conflict"
    """The index holds one of this version or a newer one."""


Ended = Kept | Rejected | Unavailable


class Held(NamedTuple):
    """What the index holds under an id: the value of one of its fields, None where it has none."""

    mark: object


class _Result(msgspec.Struct):
    status: int
    error: Failure | None = None


class _BulkItem(msgspec.Struct):
    index: _Result


class _Bulk(msgspec.Struct):
    items: list[_BulkItem]


class _Got(msgspec.Struct):
    found: bool = False
    source: dict[str, object] = msgspec.field(name="_source", default_factory=dict)
    error: Failure | None = None


class _Multi(msgspec.Struct):
    docs: list[_Got]


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")


class _Hits(msgspec.Struct, frozen=True):
    hits: list[_Hit] = []


class _Search(msgspec.Struct):
    hits: _Hits = _Hits()


class _Deleted(msgspec.Struct):
    deleted: int


_ENCODER = msgspec.json.Encoder()


class Index:
    """One index, by the alias through which it is written."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self._cluster = cluster
        self._path = f"/{write_alias(index)}"

    async def write(self, documents: Sequence[Document]) -> list[Ended]:
        """Write documents of different ids in one request, or more where it refuses so many.

        One answer each, in the same order.
        """
        try:
            answer = await self._cluster.call(
                "POST",
                f"{self._path}/_bulk",
                {"require_alias": "true", "filter_path": _ANSWER},
                body=b"\n".join(_lines(documents)) + b"\n",
                content_type=LINES,
            )
        except Unavailable as error:
            return [error] * len(documents)
        if answer.status == HTTPStatus.OK:
            return _results(answer, len(documents))
        found = verdict_of_request(answer.status, failure_of(answer.status, answer.body))
        if isinstance(found, Unavailable) or len(documents) == 1:
            return [found] * len(documents)
        half = len(documents) // 2
        return [*await self.write(documents[:half]), *await self.write(documents[half:])]

    async def look(self, ids: Sequence[str], field: str) -> list[Held | Unavailable | None]:
        """What the index holds under each id this moment, refreshed or not; None: nothing.

        The primary shard is asked: it alone knows what it has just refused a write for.

        Raises:
            Unavailable: there is no telling.
        """
        answer = await self._cluster.call(
            "POST",
            f"{self._path}/_mget",
            {"preference": "_primary", "_source_includes": field},
            body=_ENCODER.encode({"ids": ids}),
        )
        found = _as(_Multi, answer).docs
        if len(found) != len(ids):
            raise _not_understood(answer)
        return [_held(got, field) for got in found]

    async def refresh(self) -> None:
        """Let searches find whatever was written until now.

        Raises:
            Unavailable: it could not be done now.
        """
        _as(object, await self._cluster.call("POST", f"{self._path}/_refresh"))

    async def find(self, query: object) -> list[str]:
        """The ids of documents that a query finds, MOST_FOUND of them at most.

        Raises:
            Unavailable: there is no telling, nor where a shard alone is away: OpenSearch would leave it out.
        """
        answer = await self._cluster.call(
            "POST",
            f"{self._path}/_search",
            {
                "filter_path": "hits.hits._id",
                "preference": "_primary",
                "allow_partial_search_results": "false",
            },
            body=_ENCODER.encode({"query": query, "size": MOST_FOUND, "_source": False}),
        )
        return [hit.id for hit in _as(_Search, answer).hits.hits]

    async def delete_where(self, query: object, most: int) -> int:
        """Delete up to `most` documents that a query finds and nobody writes meanwhile; how many there were.

        Raises:
            Unavailable: it could not be done now.
        """
        answer = await self._cluster.call(
            "POST",
            f"{self._path}/_delete_by_query",
            {"conflicts": "proceed", "max_docs": str(most)},
            body=_ENCODER.encode({"query": query}),
        )
        return _as(_Deleted, answer).deleted


def portions(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    """The documents, as many at a time as go into one request."""
    start = size = 0
    for place, document in enumerate(documents):
        bytes_more = len(document.source) + len(document.id)
        if place > start and (size + bytes_more > MOST_BYTES or place - start == MOST_DOCUMENTS):
            yield documents[start:place]
            start, size = place, 0
        size += bytes_more
    if documents:
        yield documents[start:]


def _lines(documents: Sequence[Document]) -> Iterator[bytes]:
    for document in documents:
        address = {"_id": document.id, "version": document.version, "version_type": "external"}
        yield _ENCODER.encode({"index": address})
        yield document.source


def _results(answer: Answer, count: int) -> list[Ended]:
    try:
        items = _as(_Bulk, answer).items
    except Unavailable as error:
        return [error] * count
    if len(items) != count:
        return [_not_understood(answer)] * count
    return [_ended(item.index) for item in items]


def _ended(result: _Result) -> Ended:
    if result.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        return Kept.WRITTEN
    if result.status == HTTPStatus.CONFLICT:
        return Kept.CONFLICT
    return verdict(result.status, result.error or Failure(f"Http{result.status}"))


def _held(got: _Got, field: str) -> Held | Unavailable | None:
    if got.error is not None:
        return unavailable(0, got.error)
    return Held(got.source.get(field)) if got.found else None


_T = TypeVar("_T")


def _as(form: type[_T], answer: Answer) -> _T:
    if answer.status != HTTPStatus.OK:
        raise unavailable(answer.status, failure_of(answer.status, answer.body))
    try:
        return msgspec.convert(answer.body, form)
    except msgspec.ValidationError:
        raise _not_understood(answer) from None


def _not_understood(answer: Answer) -> Unavailable:
    message = f"opensearch gave an answer that is none: {str(answer.body)[:200]}"
    return Unavailable(message, code="NotOpenSearch")
