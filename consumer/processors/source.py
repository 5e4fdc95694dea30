"""Consistent reads of the source table, for what the records alone can't settle."""

from collections.abc import Mapping
from typing import Any, Protocol

from consumer.errors import Rejected
from consumer.record import Image
from consumer.settings.context import TableFacts


class Answer(Protocol):
    """What DynamoDB said."""

    @property
    def body(self) -> dict[str, Any]: ...  # noqa: D102 - as in the client
    @property
    def error(self) -> str | None: ...  # noqa: D102 - as in the client


class DynamoDB(Protocol):
    """The one call of the client that processors need."""

    async def call(  # noqa: D102 - as in the client
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer: ...


class SourceReader:
    """Reads items of the source table as they are now."""

    def __init__(self, client: DynamoDB, table: TableFacts, *, readable: bool) -> None:
        self._client = client
        self.table = table
        self.is_readable = readable

    def see_that_ties_can_be_settled(self) -> None:
        """Raises Rejected where the source may not be read."""
        if not self.is_readable:
            message = (
                f"two changes of this item carry one version, and the source table {self.table.name!r} "
                "may not be read to settle it; allow dynamodb:GetItem on it, or set the destination's "
                "precision to MICROSECOND"
            )
            raise Rejected(message, code="VersionTie")

    def see_that_old_changes_can_be_settled(self) -> None:
        """Raises Rejected where the source may not be read."""
        if not self.is_readable:
            message = (
                "the change is older than tombstones live, so that the item may have been deleted since, and "
                f"the source table {self.table.name!r} may not be read to see; allow dynamodb:GetItem on it"
            )
            raise Rejected(message, code="PastHorizon")

    async def read(self, keys: Mapping[str, Mapping[str, str]]) -> Image | None:
        """The item as it is now, None if it doesn't exist.

        Raises:
            Unavailable: it can't be read now.
        """
        request = {"TableName": self.table.name, "Key": keys, "ConsistentRead": True}
        answer = await self._client.call("GetItem", request)
        return answer.body.get("Item")


def item_keys(item: str, key_types: Mapping[str, str]) -> dict[str, dict[str, str]] | None:
    """The keys of which a change's `item` was made; None where it is no identity of this table's items."""
    if len(key_types) == 1:
        return {name: {kind: item} for name, kind in key_types.items()}
    keys: dict[str, dict[str, str]] = {}
    rest = item
    for name in sorted(key_types):
        length, mark, rest = rest.partition(":")
        if not mark or not length.isdecimal() or int(length) > len(rest):
            return None
        keys[name] = {key_types[name]: rest[: int(length)]}
        rest = rest[int(length) :]
    return None if rest else keys
