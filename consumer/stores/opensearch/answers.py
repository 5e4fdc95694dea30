"""Whose fault an answer of OpenSearch is: the record's by a closed list, the store's otherwise. Pure."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from consumer.errors import Rejected, Unavailable

REJECTED = frozenset(
    {
        "illegal_argument_exception",
        "mapper_parsing_exception",
        "strict_dynamic_mapping_exception",
    }
)
"""What OpenSearch 2 and 3 say of a document that does not fit its index, with status 400.

A value of another type, a field that `dynamic: strict` does not know, too many fields, a term of over 32,766
bytes. An index that is closed has status 400 too, and is no document's fault.
"""

_OF_REQUEST = frozenset({"action_request_validation_exception", "illegal_argument_exception"})
"""What it says of a whole request for one of its documents, such as an id of over 512 bytes."""

_REMEDIES: Mapping[str, str] = {
    "index_not_found_exception": "the index is gone, or the alias through which it is written; start the pod"
    " again to have it made, or restore it",
    "index_closed_exception": "the index is closed; open it",
    "cluster_block_exception": "the index takes no writes, mostly since a disk is nearly full; make room, or"
    " take the block off",
    "security_exception": "the user may not do this; allow it to read, write and manage the index",
}
_REMEDIES_BY_STATUS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the user is not known, or the password is wrong; the URL is to have both",
    HTTPStatus.FORBIDDEN: "the user may not do this; allow it to read, write and manage the index",
    HTTPStatus.TOO_MANY_REQUESTS: "OpenSearch has too much to do",
}


class Cause(msgspec.Struct):
    """The inner error, which says more."""

    reason: str | None = None


class Failure(msgspec.Struct):
    """What OpenSearch says of a request or a document that it did not carry out."""

    type: str
    reason: str | None = None
    caused_by: Cause | None = None

    @property
    def sentence(self) -> str:
        """Its reason, and its cause where there is one."""
        told = self.reason or self.type
        return f"{told}: {self.caused_by.reason}" if self.caused_by and self.caused_by.reason else told


class _Body(msgspec.Struct):
    error: Failure | str


def failure_of(status: int, body: object) -> Failure:
    """What the body of an answer says that is no success; a proxy's page is told by its status."""
    try:
        error = msgspec.convert(body, _Body).error
    except msgspec.ValidationError:
        error = str(body)[:200]
    if isinstance(error, Failure):
        return error
    return Failure(f"Http{status}", error)


def verdict(status: int, failure: Failure) -> Rejected | Unavailable:
    """What became of one document; `status` is its own."""
    if status == HTTPStatus.BAD_REQUEST and failure.type in REJECTED:
        return Rejected(failure.sentence, code=failure.type, by_store=True)
    return unavailable(status, failure)


def verdict_of_request(status: int, failure: Failure) -> Rejected | Unavailable:
    """What became of a request; Rejected: one of its documents is at fault, or all together are too large."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        message = "the document is larger than OpenSearch takes a request (http.max_content_length)"
        return Rejected(message, code="RequestTooLarge")
    if status == HTTPStatus.BAD_REQUEST and failure.type in _OF_REQUEST:
        return Rejected(failure.sentence, code=failure.type, by_store=True)
    return unavailable(status, failure)


def unavailable(status: int, failure: Failure) -> Unavailable:
    """An answer that is no document's fault."""
    remedy = _REMEDIES.get(failure.type) or _REMEDIES_BY_STATUS.get(status)
    told = f"{remedy} ({failure.sentence})" if remedy else failure.sentence
    return Unavailable(f"opensearch: {told}", code=failure.type)
