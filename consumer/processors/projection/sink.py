"""The projection's I/O on DynamoDB: one conditional write in the row, tombstones inline.

    PutItem if there is no row, or an older one ----> applied
        | ConditionalCheckFailed, with the row as it is
        v
    judge(row, change) --stale--> settled
        | tie
        v
    consistent read of the source item ----> PutItem if the row is still as it was read ----> applied
        ^                                        | ConditionalCheckFailed: somebody else wrote
        +----------------------------------------+
A crash after any arrow repeats from the top, where the row tells what was done.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, STALE, Outcome
from consumer.processors.gate import (
    DYNAMODB_EQUAL,
    DYNAMODB_NEWER,
    LATE_SECONDS,
    Stamp,
    Verdict,
    dynamodb_equal_values,
    dynamodb_newer_values,
    judge,
    merge,
    stamp_from_attribute,
    stamp_to_attribute,
)
from consumer.processors.projection.mapping import Desired
from consumer.record import Image, Version
from consumer.settings.context import TableFacts

_CONDITION_FAILED = "ConditionalCheckFailedException"
_MOST_ROUNDS = 20
"""Rounds of settling one tie against other writers before it is left to a later try."""


class Answer(Protocol):
    """What DynamoDB said."""

    @property
    def body(self) -> dict[str, Any]: ...  # noqa: D102 - as in the client
    @property
    def error(self) -> str | None: ...  # noqa: D102 - as in the client


class DynamoDB(Protocol):
    """The one call of the client that the sink needs."""

    async def call(  # noqa: D102 - as in the client
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer: ...


class SourceReader:
    """Consistent reads of the source table, for what the records alone can't settle."""

    def __init__(self, client: DynamoDB, table: TableFacts, *, readable: bool) -> None:
        self._client = client
        self._table = table
        self.is_readable = readable

    def see_that_ties_can_be_settled(self) -> None:
        """Raises Rejected where the source may not be read."""
        if not self.is_readable:
            message = (
                f"two changes of this item carry one version, and the source table {self._table.name!r} "
                "may not be read to settle it; allow dynamodb:GetItem on it, or set the destination's "
                "precision to MICROSECOND"
            )
            raise Rejected(message, code="VersionTie")

    def see_that_old_changes_can_be_settled(self) -> None:
        """Raises Rejected where the source may not be read."""
        if not self.is_readable:
            message = (
                "the change is older than tombstones live, so that the item may have been deleted since, and "
                f"the source table {self._table.name!r} may not be read to see; allow dynamodb:GetItem on it"
            )
            raise Rejected(message, code="PastHorizon")

    async def read(self, keys: Mapping[str, Mapping[str, str]]) -> Image | None:
        """The item as it is now, None if it doesn't exist.

        Raises:
            Unavailable: it can't be read now.
        """
        request = {"TableName": self._table.name, "Key": keys, "ConsistentRead": True}
        answer = await self._client.call("GetItem", request)
        return answer.body.get("Item")


class ProjectionSink:
    """Writes rows of one DynamoDB table through the version gate."""

    def __init__(
        self,
        client: DynamoDB,
        target: TableFacts,
        *,
        adopt: bool,
        tombstone_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        """Take what writing needs.

        Args:
            client: DynamoDB in the target's region.
            target: the read model's table.
            adopt: take over rows that carry no `_tidemark`.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
            clock: Unix seconds.
        """
        self._client = client
        self._target = target
        self._adopt = adopt
        self._tombstone_seconds = tombstone_seconds
        self._clock = clock
        absent = "attribute_not_exists(#t)" if adopt else "attribute_not_exists(#k)"
        self._names = {"#t": RESERVED} if adopt else {"#t": RESERVED, "#k": target.partition_key}
        self._newer = f"{absent} OR {DYNAMODB_NEWER}"

    @property
    def tombstones_last(self) -> float | None:
        """Seconds from a tombstone's writing on, at least; None: the table has no TTL, so they stay."""
        return None if self._target.ttl_attribute is None else self._tombstone_seconds

    async def write(self, desired: Desired, version: Version) -> Stamp | Outcome:
        """Write a change's outcome if the row is absent or older; on a tie, the row's stamp.

        Raises:
            Rejected: the row is foreign, or DynamoDB refuses the row itself.
            Unavailable: DynamoDB can't take it now.
        """
        stamp = Stamp(version, desired.digest)
        held = await self._put(desired, stamp, self._newer, self._names, dynamodb_newer_values(version))
        if held is None:
            return APPLIED
        verdict = judge(held, stamp)
        if (
            verdict is Verdict.NEWER
        ):  # the row at the check was not older by the condition, so the two forms of the gate disagree
            message = f"the gate's condition refused {stamp} over {held}"
            raise Unavailable(message, code="GateDisagrees")
        return STALE if verdict is Verdict.STALE else held

    async def settle_tie(self, held: Stamp, version: Version, read: "SourceState") -> Outcome:
        """Write what the source says at the tie's version, by compare-and-set on the row as it was read."""
        for _ in range(_MOST_ROUNDS):
            desired = await read()
            change = Stamp(version, desired.digest)
            verdict = judge(held, change)
            if verdict is Verdict.STALE:
                return STALE
            if verdict is Verdict.NEWER:  # what tied is gone: expired, or written over by somebody foreign
                message = "the row was replaced by an older one while a tie was being settled"
                raise Unavailable(message, code="RowWent")
            stamp = Stamp(merge(held.version, version), desired.digest)
            now_held = await self._put(
                desired, stamp, DYNAMODB_EQUAL, {"#t": RESERVED}, dynamodb_equal_values(held)
            )
            if now_held is None:
                return APPLIED
            held = now_held
        message = "other writers kept changing the row while a tie was being settled"
        raise Unavailable(message, code="TieContended")

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
        if row is None:  # only under DYNAMODB_EQUAL: a tombstone expired since it was read
            message = "the row went while it was being written"
            raise Unavailable(message, code="RowWent")
        return self._stamp_of(row)

    def _item(self, desired: Desired, stamp: Stamp) -> Image:
        mark = {RESERVED: stamp_to_attribute(stamp)}
        if desired.row is not None:
            return {**desired.row, **mark}
        tombstone: Image = {**desired.key, **mark}
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


class SourceState(Protocol):
    """Reads the source item and maps it to what the target should hold."""

    async def __call__(self) -> Desired: ...  # noqa: D102 - see the class
