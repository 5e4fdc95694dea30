"""DynamoDB as far as Tidemark's processors need it, in memory.

Every call is one atomic step, as in DynamoDB; what happens between two calls is up to the test. What AWS
refuses (DynamoDB API Reference) is refused here: more than 100 keys or actions, two actions on one item, a
name or value that an expression lacks or does not use, an item over 400 KB.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, cast

import orjson

from consumer.errors import Rejected
from consumer.processors.keys import key_text
from consumer.record import AttributeValue, Image
from tests.support.dynamodb_expressions import UpdateRefusedError, holds, placeholders, updated

CONDITION_FAILED = "ConditionalCheckFailedException"
CANCELLED = "TransactionCanceledException"
_INVALID = "ValidationException"
_MOST_IN_A_CALL = 100
_MOST_BYTES = 4 * 1024 * 1024
_LARGEST_ITEM_BYTES = 400 * 1024

Request = dict[str, Any]


class Answer(NamedTuple):
    """What a call says; meets the processors' own Protocol."""

    body: dict[str, Any]
    error: str | None


async def _at_once(_operation: str) -> None:
    """No pause: the call is carried out where it is made."""


class Table:
    """One table."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self.rows: dict[str, Image] = {}

    def row(self, **keys: str) -> Image | None:
        """The row with these text keys."""
        return self.rows.get(self.key_of({name: {"S": text} for name, text in keys.items()}))

    def put(self, item: Image) -> None:
        self.rows[self.key_of(item)] = item

    def delete(self, item: Image) -> None:
        self.rows.pop(self.key_of(item), None)

    def get(self, item: Image) -> Image | None:
        return self.rows.get(self.key_of(item))

    def key_of(self, item: Image) -> str:
        """The item's key as text, equal for equal keys."""
        return key_text([item[name] for name in self._keys])


class _Refused(NamedTuple):
    """Why an action is not carried out: a code of CancellationReason, and what goes with it."""

    code: str
    message: str
    item: Image | None = None


class InMemoryDynamoDB:
    """Tables by name. `pause` is awaited before a call takes effect and again before its answer is given."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        pause: Callable[[str], Awaitable[None]] = _at_once,
        *,
        keys_read: int = _MOST_IN_A_CALL,
    ) -> None:
        """`keys_read`: how many keys of a BatchGetItem are read; the others come back as unprocessed."""
        self.tables = tables
        self.calls: list[str] = []
        self._pause = pause
        self._keys_read = keys_read

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        """Carry out one operation.

        Raises:
            Rejected: as the client does where the request itself is at fault.
        """
        wanted = cast("Request", orjson.loads(request) if isinstance(request, bytes) else request)
        await self._pause(operation)
        self.calls.append(operation)
        operations: dict[str, Callable[[Request], Answer]] = {
            "GetItem": self._get,
            "BatchGetItem": self._get_batch,
            "PutItem": lambda request: self._write("Put", request),
            "UpdateItem": lambda request: self._write("Update", request),
            "DeleteItem": lambda request: self._write("Delete", request),
            "TransactWriteItems": self._transact,
        }
        answer = operations[operation](wanted)
        await self._pause(operation)
        if answer.error == _INVALID:
            raise Rejected(f"dynamodb {operation}: {answer.body['message']}", code=_INVALID, by_store=True)
        if answer.error is not None and answer.error not in expect:
            raise AssertionError(answer)
        return answer

    def _get(self, request: Request) -> Answer:
        assert request["ConsistentRead"] is True
        row = self.tables[request["TableName"]].get(request["Key"])
        return Answer({} if row is None else {"Item": row}, None)

    def _get_batch(self, request: Request) -> Answer:
        responses: dict[str, list[Image]] = {}
        left: dict[str, Request] = {}
        for name, wanted in request["RequestItems"].items():
            assert wanted["ConsistentRead"] is True
            keys = wanted["Keys"]
            if not 1 <= len(keys) <= _MOST_IN_A_CALL:
                return _invalid(f"{len(keys)} keys in one call")
            if len({orjson.dumps(key) for key in keys}) < len(keys):
                return _invalid("Provided list of item keys contains duplicates")
            found = map(self.tables[name].get, keys[: self._keys_read])
            responses[name] = [row for row in found if row is not None]
            if keys[self._keys_read :]:
                left[name] = {**wanted, "Keys": keys[self._keys_read :]}
        return Answer({"Responses": responses, "UnprocessedKeys": left}, None)

    def _write(self, kind: str, request: Request) -> Answer:
        outcome = self._outcome(kind, request)
        if isinstance(outcome, _Refused):
            if outcome.code == "ValidationError":
                return _invalid(outcome.message)
            return Answer({} if outcome.item is None else {"Item": outcome.item}, CONDITION_FAILED)
        self._keep(kind, request, outcome)
        return Answer({}, None)

    def _transact(self, request: Request) -> Answer:
        actions = [pair for action in request["TransactItems"] for pair in action.items()]
        if not 1 <= len(actions) <= _MOST_IN_A_CALL:
            return _invalid(f"{len(actions)} actions in one transaction")
        if len(orjson.dumps(request)) > _MOST_BYTES:
            return _invalid("Transaction request exceeds the 4MB transaction size limit")
        items = {self._item_of(kind, action) for kind, action in actions}
        if len(items) < len(actions):
            return _invalid("Transaction request cannot include multiple operations on one item")
        outcomes = [self._outcome(kind, action) for kind, action in actions]
        if any(isinstance(outcome, _Refused) for outcome in outcomes):
            return Answer({"CancellationReasons": list(map(_reason, outcomes))}, CANCELLED)
        for (kind, action), outcome in zip(actions, outcomes, strict=True):
            assert not isinstance(outcome, _Refused)
            self._keep(kind, action, outcome)
        return Answer({}, None)

    def _item_of(self, kind: str, action: Request) -> tuple[str, str]:
        table = action["TableName"]
        return table, self.tables[table].key_of(action["Item" if kind == "Put" else "Key"])

    def _outcome(self, kind: str, request: Request) -> Image | _Refused | None:
        """The item after a write, None: there is none; or why it is not carried out."""
        table = self.tables[request["TableName"]]
        row = table.get(request["Item" if kind == "Put" else "Key"])
        condition = request.get("ConditionExpression")
        names: dict[str, str] = request.get("ExpressionAttributeNames", {})
        values: dict[str, AttributeValue] = request.get("ExpressionAttributeValues", {})
        assert (
            placeholders(condition or "", request.get("UpdateExpression", "")) == names.keys() | values.keys()
        )
        if condition is not None and not holds(condition, row or {}, names, values):
            told = row if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else None
            return _Refused("ConditionalCheckFailed", "The conditional request failed", told)
        if kind == "Delete":
            return None
        try:
            if kind == "Update":
                item = updated(request["UpdateExpression"], row or request["Key"], names, values)
            else:
                item = cast("Image", request["Item"])
        except UpdateRefusedError as error:
            return _Refused("ValidationError", str(error))
        if len(orjson.dumps(item)) > _LARGEST_ITEM_BYTES:
            return _Refused("ValidationError", "Item size has exceeded the maximum allowed size")
        return item

    def _keep(self, kind: str, request: Request, item: Image | None) -> None:
        table = self.tables[request["TableName"]]
        if item is None:
            table.delete(request["Key"])
        else:
            table.put(item)


def _reason(outcome: Image | _Refused | None) -> dict[str, Any]:
    if not isinstance(outcome, _Refused):
        return {"Code": "None"}
    told = {} if outcome.item is None else {"Item": outcome.item}
    return {"Code": outcome.code, "Message": outcome.message, **told}


def _invalid(message: str) -> Answer:
    return Answer({"message": message}, _INVALID)
