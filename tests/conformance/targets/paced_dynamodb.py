"""A way to DynamoDB that is slow, and that fails for a while: what a client of one shard process sees."""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from consumer.aws.clients import Clients
from consumer.errors import Unavailable
from consumer.processors.source import Answer, DynamoDB
from tests.conformance.pace import Pace

_LONGEST = 300


class PacedDynamoDB:
    """Meets the processors' own Protocol, over any DynamoDB.

    step --> no effect, or the effect --> step --> no answer, or the answer
    """

    def __init__(self, dynamodb: DynamoDB, pace: Pace) -> None:
        self._dynamodb = dynamodb
        self._pace = pace

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        """Carry out a call.

        Raises:
            Unavailable: it had no effect, or it had one and no answer came.
        """
        pace, fault = self._pace, self._pace.fault()
        await pace(operation)
        if fault == "no effect":
            raise Unavailable("the table is away", code="InternalServerError")
        answer = await self._dynamodb.call(operation, request, expect=expect)
        told = request if isinstance(request, bytes) else orjson.dumps(request)
        pace.note(f"{operation} {told.decode()[:_LONGEST]}: {answer.error or 'done'}")
        await pace(operation)
        if fault == "no answer":
            raise Unavailable("no answer came", code="TimeoutError")
        return answer


def regions(by_region: Mapping[str, DynamoDB]) -> Clients:
    """DynamoDB by region, to stand where a process has its AWS clients."""
    return cast("Clients", _Regions(by_region))


class _Regions:
    def __init__(self, by_region: Mapping[str, DynamoDB]) -> None:
        self._by_region = by_region

    def client(self, service: str, region: str) -> DynamoDB:
        assert service == "dynamodb"
        return self._by_region[region]
