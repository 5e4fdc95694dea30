"""Transactions of DynamoDB: all of their actions are done, or none.

AWS API references used: TransactWriteItems, TransactionCanceledException, CancellationReason.

None carries a ClientRequestToken. A call that is made again after its answer was lost is refused by the very
entry that the first one wrote, and whoever reads that sees what it meant to write.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import orjson

from consumer.aws.services import is_about_size
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import ProcessorTools
from consumer.processors.source import DynamoDB
from consumer.record import Image

MOST_ACTIONS = 100
MOST_BYTES = 3_500_000
"""Of the actions' JSON; a transaction's items may have 4 MB, and are shorter than their JSON."""

Action = bytes
"""One action of a transaction, as JSON."""

_NUMBER_OVERFLOW = "Number overflow"
"""How its message begins, for a sum that is too large, and for one that needs more than 38 digits alike."""

_CANCELLED = "TransactionCanceledException"
_REFUSED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"
_REJECTED = MappingProxyType(
    {
        "ItemCollectionSizeLimitExceeded": "ItemCollectionSizeLimitExceededException",
        "ValidationError": "ValidationException",
    }
)
"""Closed list: the action is at fault; to its code outside of transactions. What is not here passes."""

_MOST_TRIES = 8
_FIRST_PAUSE_SECONDS = 0.025


class ActionRejected(Rejected):
    """An action can't be carried out whatever stands there; `place` says which of the transaction's."""

    def __init__(self, message: str, *, place: int, code: str, by_store: bool) -> None:
        super().__init__(message, code=code, by_store=by_store)
        self.place = place


class Refusal(NamedTuple):
    """An action's condition is not met; `item` is what stands there, None: nothing."""

    item: Image | None


def action(kind: Literal["Put", "Update", "Delete"], request: Mapping[str, object]) -> Action:
    """An action on one item; if its condition is not met, the item is told."""
    return orjson.dumps({kind: {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}})


class Transactions:
    """Carries out transactions."""

    def __init__(self, client: DynamoDB, tools: ProcessorTools) -> None:
        """Take a client of DynamoDB, and random numbers for the pauses between tries."""
        self._client = client
        self._tools = tools

    async def carry_out(self, actions: Sequence[Action]) -> list[Refusal | None] | None:
        """Carry out all of the actions, each on another item, or none.

        Args:
            actions: at most MOST_ACTIONS, and of MOST_BYTES together.

        Returns:
            None: done. Else, for each action, how its condition was not met; some was not.

        Raises:
            Rejected: an action can't be carried out whatever stands there (ActionRejected where it is told
                which); a sum that DynamoDB can't hold has the code NumberOverflow.
            Unavailable: not now; `of_item` where other transactions were on the same items time and again.
        """
        request = b'{"TransactItems":[' + b",".join(actions) + b"]}"
        codes: set[str] = set()
        for attempt in range(_MOST_TRIES):
            reasons = await self._cancelled(request)
            if reasons is None:
                return None
            refused = [Refusal(each.get("Item")) if _code(each) == _REFUSED else None for each in reasons]
            if any(refused):
                return refused
            _see_that_it_may_help(reasons)
            codes = {code for each in reasons if (code := _code(each)) is not None}
            if _CONFLICT in codes:
                self._tools.on_conflict()
            await asyncio.sleep(self._tools.uniform() * _FIRST_PAUSE_SECONDS * 2**attempt)
        message = f"DynamoDB cancelled a transaction {_MOST_TRIES} times: {', '.join(sorted(codes))}"
        raise Unavailable(message, code=min(codes), of_item=codes == {_CONFLICT})

    async def _cancelled(self, request: bytes) -> list[dict[str, Any]] | None:
        """Why it was cancelled, action by action; None: done."""
        try:
            answer = await self._client.call("TransactWriteItems", request, expect=(_CANCELLED,))
        except Rejected as error:
            if _NUMBER_OVERFLOW in str(error):
                raise Rejected(str(error), code="NumberOverflow", by_store=True) from error
            raise
        if answer.error is None:
            return None
        reasons: list[dict[str, Any]] = answer.body.get("CancellationReasons") or []
        if not any(map(_code, reasons)):
            message = f"DynamoDB cancelled a transaction without a reason: {answer.body}"
            raise Unavailable(message, code=_CANCELLED)
        return reasons


def _code(reason: dict[str, Any]) -> str | None:
    """None for an action that was not in the way; AWS spells that None, NONE and null."""
    code: str | None = reason.get("Code")
    return None if code is None or code.upper() == "NONE" else code


def _see_that_it_may_help(reasons: Sequence[dict[str, Any]]) -> None:
    """Raises ActionRejected where the same transaction would be cancelled for ever."""
    for place, reason in enumerate(reasons):
        code, text = _REJECTED.get(_code(reason) or ""), str(reason.get("Message"))
        if code is None:
            continue
        told = f"dynamodb TransactWriteItems: {text}"
        if _NUMBER_OVERFLOW in text:
            raise ActionRejected(told, place=place, code="NumberOverflow", by_store=True)
        raise ActionRejected(told, place=place, code=code, by_store=not is_about_size(text))
