"""A ledger's DynamoDB table: entries are read many at a time, and written as one action of a transaction.

AWS API reference used: BatchGetItem.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import ProcessorTools
from consumer.processors.gate import LATE_SECONDS, dynamodb_equal, dynamodb_equal_values
from consumer.processors.ledger.entry import KEY, NOTHING, Entry, entry_key, from_item, size_of, to_item
from consumer.processors.ledger.transactions import Action, action
from consumer.processors.source import DynamoDB
from consumer.record import Image

_KEYS_A_CALL = 100
_MOST_CALLS = 8
_FIRST_PAUSE_SECONDS = 0.05

_MOST_BYTES = 400 * 1024
"""Of an item ("Quotas in Amazon DynamoDB")."""


class LedgerTable:
    """The entries of one processor's items."""

    def __init__(
        self, client: DynamoDB, name: str, *, tombstone_seconds: float, tools: ProcessorTools
    ) -> None:
        """Take what reading and writing need.

        Args:
            client: DynamoDB in the ledger's region.
            name: the table's.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
            tools: clock and random numbers.
        """
        self._client = client
        self._name = name
        self.tombstone_seconds = tombstone_seconds
        self._tools = tools

    async def read(self, items: Sequence[str]) -> list[Entry]:
        """The entries of different items, read consistently; NOTHING where there is none.

        Raises:
            Rejected: what stands there isn't a ledger's entry.
            Unavailable: they can't be read now.
        """
        keys = [entry_key(item) for item in items]
        calls = (keys[at : at + _KEYS_A_CALL] for at in range(0, len(keys), _KEYS_A_CALL))
        found: dict[str, Entry] = {}
        for entries in await asyncio.gather(*map(self._read, calls)):
            found |= entries
        return [found.get(key, NOTHING) for key in keys]

    async def _read(self, keys: Sequence[str]) -> dict[str, Entry]:
        request: Mapping[str, Any] = {
            self._name: {"Keys": [{KEY: {"S": key}} for key in keys], "ConsistentRead": True}
        }
        found: dict[str, Entry] = {}
        for call in range(_MOST_CALLS):
            answer = (await self._client.call("BatchGetItem", {"RequestItems": request})).body
            for item in answer["Responses"].get(self._name, ()):
                found[item[KEY]["S"]] = from_item(item)
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return found
            await asyncio.sleep(self._tools.uniform() * _FIRST_PAUSE_SECONDS * 2**call)
        message = f"DynamoDB leaves keys of table {self._name!r} unread, time and again"
        raise Unavailable(message, code="UnprocessedKeys")

    def put(self, item: str, entry: Entry, over: Entry) -> Action:
        """The action that writes an entry over another, provided that this stands there exactly as read.

        Raises:
            Rejected: no item can be as large.
        """
        lasts = self.tombstone_seconds + LATE_SECONDS
        request: dict[str, object] = {
            "TableName": self._name,
            "Item": to_item(entry_key(item), entry, int(self._tools.clock() + lasts)),
            "ExpressionAttributeNames": {"#t": RESERVED},
        }
        if over.stamp.round:
            request["ConditionExpression"] = dynamodb_equal(over.stamp)
            request["ExpressionAttributeValues"] = dynamodb_equal_values(over.stamp)
        else:
            request["ConditionExpression"] = "attribute_not_exists(#t)"
        put = action("Put", request)
        if len(put) > _MOST_BYTES:  # its JSON is longer than the item
            _see_that_it_fits(to_item(entry_key(item), entry, 0), len(entry.holds))
        return put


def _see_that_it_fits(item: Image, count: int) -> None:
    size = size_of(item)
    if size > _MOST_BYTES:
        message = (
            f"the item has {count:,} rows or groups, and its entry in the ledger would be {size:,} bytes;"
            f" DynamoDB takes {_MOST_BYTES:,}"
        )
        raise Rejected(message, code="EntryTooLarge")
