"""What a cluster is asked by; client.py is one, and costs 12 MB to import."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

JSON = "application/json"
LINES = "application/x-ndjson"


class Answer(NamedTuple):
    """What OpenSearch said; `body` is decoded JSON."""

    status: int
    body: object


class Cluster(Protocol):
    """Sends requests; a success and a refusal are answers, and no answer is Unavailable."""

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        content_type: str = JSON,
    ) -> Answer:
        """Carry out one request.

        Args:
            method: the HTTP method.
            path: nothing in it that would need quoting.
            query: its parameters.
            body: as it is sent; empty for none.
            content_type: of the body.

        Raises:
            Unavailable: no answer came, or one that is not OpenSearch's.
        """
        ...
