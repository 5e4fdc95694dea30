"""DynamoDB: readers find the table through a pointer row, written in the cut-over's last transaction.

AWS API references used: BatchGetItem, DescribeTable, Scan (DynamoDB).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from checkpoint.api import Api
from checkpoint.control import Pointer
from checkpoint.tables import Item, Pause
from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.processors.projection.plan import needs_ledger
from consumer.settings.model import Processor

_NOT_THERE = ("ResourceNotFoundException",)
_KEYS_A_CALL = 100
_SHOWN = 10
_LOOKS = 5
_BETWEEN_LOOKS_SECONDS = 2.0
"""What the rebuild has on its way is there by then."""


def has_ledger(processor: Processor) -> bool:
    """Whether its rows alone don't tell what items it knows."""
    return processor.projection is None or needs_ledger(processor.projection)


async def is_there(dynamodb: Api, table: str) -> bool:
    """Whether there is such a table."""
    request = {"TableName": table}
    return (await dynamodb.call("DescribeTable", request, expect=_NOT_THERE)).error is None


class TableSwitch:
    """From one table to another; both stay as they are."""

    def __init__(
        self, dynamodb: Api, plan: RebuildPlan, old: Pointer, new: Pointer, pause: Pause = asyncio.sleep
    ) -> None:
        """`dynamodb`: in the targets' region; a pointer without a ledger: its rows tell what items it has."""
        self._dynamodb = dynamodb
        self._plan = plan
        self._old = old
        self._new = new
        self._pause = pause

    @property
    def pointer(self) -> Pointer:
        """Where readers find the new model."""
        return self._new

    async def check(self) -> None:
        """Nothing can be in the way of a pointer."""

    async def missing(self, show: Callable[[int], None]) -> list[str] | None:
        """See Switch."""
        if (self._old.ledger is None) != (self._new.ledger is None):
            return None
        old = self._old.ledger or self._old.table
        new = self._new.ledger or self._new.table
        keys = await self._keys(old)
        if keys is None or keys != await self._keys(new):
            return None
        looked = 0
        missing: list[Item] = []
        async for page in self._known(old, keys, is_ledger=self._old.ledger is not None):
            missing += await self._absent(new, page)
            looked += len(page)
            show(looked)
        # The live model may know a change that the rebuild has yet to come by.
        for _ in range(_LOOKS):
            if not missing:
                break
            await self._pause(_BETWEEN_LOOKS_SECONDS)
            missing = [key for part in _parts(missing) for key in await self._absent(new, part)]
        return [_text(key) for key in missing[:_SHOWN]]

    async def swap(self) -> None:
        """The pointer is all there is to it."""

    def leftovers(self) -> list[str]:
        """The old tables."""
        return [f"table {name}" for name in (self._old.table, self._old.ledger) if name is not None]

    async def _keys(self, table: str) -> list[str] | None:
        answer = await self._dynamodb.call("DescribeTable", {"TableName": table}, expect=_NOT_THERE)
        if answer.error is not None:
            return None
        return [entry["AttributeName"] for entry in answer.body["Table"]["KeySchema"]]

    async def _known(self, table: str, keys: Sequence[str], *, is_ledger: bool) -> AsyncIterator[list[Item]]:
        """The keys of the rows, or of the entries that hold something, page by page."""
        request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        while True:
            page = (await self._dynamodb.call("Scan", request)).body
            yield [
                {name: item[name] for name in keys}
                for item in page["Items"]
                if (item.get("holds", {}).get("M") if is_ledger else _is_row(item))
            ]
            if not page.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def _absent(self, table: str, keys: Sequence[Item]) -> list[Item]:
        """Those of the keys under which there is nothing at all: neither row, nor tombstone, nor entry."""
        absent: list[Item] = []
        for part in _parts(keys):
            found: list[Item] = []
            request: dict[str, Any] = {table: {"Keys": part, "ConsistentRead": True}}
            while request:
                answer = (await self._dynamodb.call("BatchGetItem", {"RequestItems": request})).body
                found += answer["Responses"].get(table, ())
                request = answer.get("UnprocessedKeys") or {}
                if request:
                    await self._pause(_BETWEEN_LOOKS_SECONDS)
            there = [{name: item[name] for name in part[0]} for item in found]
            absent += [key for key in part if key not in there]
        return absent


def _is_row(item: Item) -> bool:
    mark = item.get(RESERVED, {}).get("M", {})
    return bool(mark) and mark.get("d", {}).get("S") != NO_IMAGE_DIGEST


def _parts(keys: Sequence[Item]) -> list[list[Item]]:
    return [list(keys[at : at + _KEYS_A_CALL]) for at in range(0, len(keys), _KEYS_A_CALL)]


def _text(key: Item) -> str:
    return ", ".join(f"{name} {next(iter(value.values()))}" for name, value in key.items())
