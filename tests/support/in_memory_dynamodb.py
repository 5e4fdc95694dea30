"""DynamoDB as far as a projection needs it, in memory: GetItem, and PutItem, with a condition or without.

Every call is one atomic step, as in DynamoDB; what happens between two calls is up to the test. Conditions
are read by the rules of "Comparison operator and function reference" (DynamoDB Developer Guide): a comparison
with an attribute that is missing, or of another type, is false.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, cast

import orjson

from consumer.record import AttributeValue, Image

CONDITION_FAILED = "ConditionalCheckFailedException"
_TOKENS = re.compile(r"\s*(<=|>=|<>|[()=<>,]|AND\b|OR\b|NOT\b|[:#\w.]+)")


class Answer(NamedTuple):
    """What a call says; meets the projection's own Protocol."""

    body: dict[str, Any]
    error: str | None


async def _at_once(_operation: str) -> None:
    """No pause: the call is carried out where it is made."""


class Table:
    """One table."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self.rows: dict[bytes, Image] = {}

    def row(self, **keys: str) -> Image | None:
        """The row with these text keys."""
        return self.rows.get(self._key({name: {"S": text} for name, text in keys.items()}))

    def put(self, item: Image) -> None:
        self.rows[self._key(item)] = item

    def delete(self, item: Image) -> None:
        self.rows.pop(self._key(item), None)

    def get(self, item: Image) -> Image | None:
        return self.rows.get(self._key(item))

    def _key(self, item: Image) -> bytes:
        return orjson.dumps([item[name] for name in self._keys])


class InMemoryDynamoDB:
    """Tables by name. `pause` is awaited before a call takes effect and again before its answer is given."""

    def __init__(
        self, tables: Mapping[str, Table], pause: Callable[[str], Awaitable[None]] = _at_once
    ) -> None:
        self.tables = tables
        self.calls: list[str] = []
        self._pause = pause

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        """Carry out GetItem or PutItem."""
        wanted = cast("dict[str, Any]", orjson.loads(request) if isinstance(request, bytes) else request)
        await self._pause(operation)
        self.calls.append(operation)
        answer = {"GetItem": self._get, "PutItem": self._put}[operation](wanted)
        await self._pause(operation)
        if answer.error is not None and answer.error not in expect:
            raise AssertionError(answer)
        return answer

    def _get(self, request: dict[str, Any]) -> Answer:
        assert request["ConsistentRead"] is True
        row = self.tables[request["TableName"]].get(request["Key"])
        return Answer({} if row is None else {"Item": row}, None)

    def _put(self, request: dict[str, Any]) -> Answer:
        table = self.tables[request["TableName"]]
        row = table.get(request["Item"])
        condition = request.get("ConditionExpression")
        if condition is not None and not holds(
            condition,
            row or {},
            request.get("ExpressionAttributeNames", {}),
            request.get("ExpressionAttributeValues", {}),
        ):
            return Answer({} if row is None else {"Item": row}, CONDITION_FAILED)
        table.put(request["Item"])
        return Answer({}, None)


def holds(
    condition: str, item: Image, names: Mapping[str, str], values: Mapping[str, AttributeValue]
) -> bool:
    """Whether an item (empty: none) meets a condition."""
    return _Condition(condition, item, names, values).result()


class _Condition:
    def __init__(
        self, text: str, item: Image, names: Mapping[str, str], values: Mapping[str, AttributeValue]
    ) -> None:
        self._tokens = _TOKENS.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s", "", text)
        self._item, self._names, self._values = item, names, values

    def result(self) -> bool:
        found = self._either()
        assert not self._tokens
        return found

    def _either(self) -> bool:
        found = self._both()
        while self._takes("OR"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._term()
        while self._takes("AND"):
            found = self._term() and found
        return found

    def _term(self) -> bool:
        if self._takes("("):
            found = self._either()
            assert self._takes(")")
            return found
        if self._takes("attribute_not_exists"):
            assert self._takes("(")
            missing = self._operand() is None
            assert self._takes(")")
            return missing
        left, operator, right = self._operand(), self._tokens.pop(0), self._operand()
        return left is not None and right is not None and _compare(operator, left, right)

    def _operand(self) -> AttributeValue | None:
        token = self._tokens.pop(0)
        if token.startswith(":"):
            return self._values[token]
        first, *rest = token.split(".")
        value = self._item.get(self._names.get(first, first))
        for name in rest:
            value = None if value is None else cast("Image", value.get("M", {})).get(name)
        return value

    def _takes(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False


def _compare(operator: str, left: AttributeValue, right: AttributeValue) -> bool:
    ((kind, one),), ((other_kind, other),) = left.items(), right.items()
    if kind != other_kind:
        return False
    if kind == "N":
        one, other = Decimal(cast("str", one)), Decimal(cast("str", other))
    if operator == "=":
        return one == other
    assert operator == "<"
    return cast("Decimal", one) < cast("Decimal", other)
