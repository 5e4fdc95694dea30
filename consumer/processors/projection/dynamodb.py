"""The projection's I/O on DynamoDB where an item has one row of its own: tombstones inline.

    PutItem if there is no row, or an older one ----> applied
        | ConditionalCheckFailed, with the row as it is
        v
    judge(row, change) --stale--> settled
        | tie: the caller reads the source
        v
    PutItem if the row is still as it was read ----> applied
        | ConditionalCheckFailed: somebody else wrote; the tie is told anew
A crash after any arrow repeats from the top, where the row tells what was done.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import orjson

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, STALE, failed
from consumer.processors.gate import (
    DYNAMODB_NEWER,
    LATE_SECONDS,
    Stamp,
    Verdict,
    dynamodb_equal,
    dynamodb_equal_values,
    dynamodb_newer_values,
    judge,
    judge_settled,
    settled,
    stamp_from_attribute,
    stamp_to_attribute,
)
from consumer.processors.gated import Write, Written
from consumer.processors.projection.mapping import Desired
from consumer.processors.side_by_side import side_by_side
from consumer.processors.source import DynamoDB
from consumer.record import Image, Version
from consumer.settings.context import TableFacts

_CONDITION_FAILED = "ConditionalCheckFailedException"

CONNECTIONS = 64
"""Writes under way at once in one shard process."""


class RowSink:
    """Writes rows of one DynamoDB table through the version gate, one conditional PutItem each."""

    def __init__(
        self,
        client: DynamoDB,
        target: TableFacts,
        *,
        adopt: bool,
        tombstone_seconds: float,
        clock: Callable[[], float],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take what writing needs.

        Args:
            client: DynamoDB in the target's region.
            target: the read model's table.
            adopt: take over rows that carry no `_tidemark`.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
            clock: Unix seconds.
            is_stopping: from then on no write is begun, and what was not is held.
        """
        self._client = client
        self._target = target
        self._adopt = adopt
        self._tombstone_seconds = tombstone_seconds
        self._clock = clock
        self._is_stopping = is_stopping
        self._connections = asyncio.Semaphore(CONNECTIONS)
        absent = "attribute_not_exists(#t)" if adopt else "attribute_not_exists(#k)"
        self._names = {"#t": RESERVED} if adopt else {"#t": RESERVED, "#k": target.partition_key}
        self._newer = f"{absent} OR {DYNAMODB_NEWER}"

    @property
    def tombstones_last(self) -> float | None:
        """Seconds from a tombstone's writing on, at least; None: the table has no TTL, so they stay."""
        return None if self._target.ttl_attribute is None else self._tombstone_seconds

    async def write(self, writes: Sequence[Write[Desired]]) -> list[Written]:
        """Write different items side by side; each answer is its own."""
        return await side_by_side(map(self._answer, writes))

    async def _answer(self, write: Write[Desired]) -> Written:
        async with self._connections:
            if self._is_stopping():
                return HELD
            try:
                return await (self._write(write) if write.over is None else self._settle(write, write.over))
            except (Rejected, Unavailable) as error:
                return failed(error)

    async def _write(self, write: Write[Desired]) -> Written:
        """Write a change's outcome if the row is absent or older; on a tie, the row's stamp."""
        stamp = write.stamp
        held = await self._put(
            write.desired, stamp, self._newer, self._names, dynamodb_newer_values(write.version)
        )
        if held is None:
            return APPLIED
        verdict = judge(held, stamp)
        if (
            verdict is Verdict.NEWER
        ):  # the row was not older by the condition: the two forms of the gate disagree
            message = f"the gate's condition refused {stamp} over {held}"
            raise Unavailable(message, code="GateDisagrees")
        return STALE if verdict is Verdict.STALE else held

    async def _settle(self, write: Write[Desired], held: Stamp) -> Written:
        """Write what the source says at the tie's version, if the row is as it was read."""
        verdict = judge_settled(held, write.stamp)
        if verdict is Verdict.STALE:
            return STALE
        if verdict is Verdict.NEWER:  # what tied is gone: expired, or written over by somebody foreign
            message = "the row was replaced by an older one while a tie was being settled"
            raise Unavailable(message, code="RowWent")
        now_held = await self._put(
            write.desired,
            settled(held, write.stamp),
            dynamodb_equal(held),
            {"#t": RESERVED},
            dynamodb_equal_values(held),
        )
        return APPLIED if now_held is None else now_held

    async def _put(
        self,
        desired: Desired,
        stamp: Stamp,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, object],
    ) -> Stamp | None:
        """Put the row or the tombstone; None: written, else the stamp of the row that stands."""
        request = {
            "TableName": self._target.name,
            "Item": self._item(desired, stamp),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        answer = await self._client.call("PutItem", orjson.dumps(request), expect=(_CONDITION_FAILED,))
        if answer.error is None:
            return None
        row = answer.body.get("Item")
        if row is None:  # only under `dynamodb_equal`: a tombstone expired since it was read
            message = "the row went while it was being written"
            raise Unavailable(message, code="RowWent")
        return self._stamp_of(row)

    def _item(self, desired: Desired, stamp: Stamp) -> Image:
        mark = {RESERVED: stamp_to_attribute(stamp)}
        if desired.rows:
            (row,) = desired.rows
            return {**cast("Image", row.fields), **row.key, **mark}
        (key,) = desired.leaves
        tombstone: Image = {**key, **mark}
        if self._target.ttl_attribute is not None:
            expires = int(self._clock() + self._tombstone_seconds + LATE_SECONDS)
            tombstone[self._target.ttl_attribute] = {"N": str(expires)}
        return tombstone

    def _stamp_of(self, row: Image) -> Stamp:
        attribute = row.get(RESERVED)
        if attribute is None and self._adopt:
            return Stamp(Version(-1), NO_IMAGE_DIGEST)
        try:
            return stamp_from_attribute(attribute or {})
        except (KeyError, ValueError, TypeError):
            message = (
                f"the row in {self._target.name!r} was not written by Tidemark (its {RESERVED} is missing or "
                "not ours); set `adopt: true` to take such rows over, or choose another table"
            )
            # One such row is a row; twenty in a row are somebody else's table.
            raise Rejected(message, code="ForeignRow", by_store=True) from None
