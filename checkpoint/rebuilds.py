"""What a rebuild keeps in its own positions table: what it builds, and how far its scan of the source is.

rebuild        target: the identity of the table or index it was begun on
backfill       began_at, rejected, is_done
segment/<n>    items, rejected, first: what is wrong with the first of these, is_done,
               after: the key of the last that was handed over
"""

import json
from dataclasses import dataclass, replace

from checkpoint.api import Api
from checkpoint.positions import SUFFIX
from checkpoint.tables import Item, find_item


@dataclass(frozen=True, slots=True)
class Segment:
    """One of the parallel parts of a scan; see Scan in the Amazon DynamoDB API Reference.

    Attributes:
        after: the key after which it goes on; None: from its first item, or, with `is_done`, to its end.
        items: how many were handed over.
        rejected: how many of them could not be put into the model.
        first: what is wrong with the first few of these, for people.
    """

    number: int
    after: Item | None = None
    items: int = 0
    rejected: int = 0
    first: tuple[str, ...] = ()
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """A scan of the whole source table.

    Attributes:
        began_at: Unix seconds; what was deleted before is not in it.
        rejected: items that could not be put into the model; known once it is done.
        is_done: every part is at its end.
    """

    began_at: int
    rejected: int = 0
    is_done: bool = False


class Rebuilds:
    """The rebuild's rows of one application's positions table."""

    def __init__(self, api: Api, application: str) -> None:
        self._api = api
        self._table = application + SUFFIX

    async def read_target(self) -> str | None:
        """What it was begun on; None: nothing yet."""
        item = await find_item(self._api, self._table, {"key": {"S": "rebuild"}})
        return None if item is None else str(item["target"]["S"])

    async def write_target(self, identity: str) -> None:
        """Keep what it builds, before anything is written there."""
        await self._put({"key": {"S": "rebuild"}, "target": {"S": identity}})

    async def read_backfill(self) -> Backfill | None:
        """How far the scan is; None: none was ever begun."""
        item = await find_item(self._api, self._table, {"key": {"S": "backfill"}})
        if item is None:
            return None
        return Backfill(
            began_at=int(item["began_at"]["N"]),
            rejected=int(item["rejected"]["N"]),
            is_done=bool(item["is_done"]["BOOL"]),
        )

    async def write_backfill(self, backfill: Backfill) -> None:
        """Keep it."""
        await self._put(
            {
                "key": {"S": "backfill"},
                "began_at": {"N": str(backfill.began_at)},
                "rejected": {"N": str(backfill.rejected)},
                "is_done": {"BOOL": backfill.is_done},
            }
        )

    async def read_segment(self, number: int) -> Segment:
        """How far one part is."""
        segment = Segment(number)
        item = await find_item(self._api, self._table, _segment_key(number))
        if item is None:
            return segment
        after = json.loads(item["after"]["S"]) if "after" in item else None
        return replace(
            segment,
            after=after,
            items=int(item["items"]["N"]),
            rejected=int(item["rejected"]["N"]),
            first=tuple(str(text["S"]) for text in item.get("first", {}).get("L", ())),
            is_done=bool(item["is_done"]["BOOL"]),
        )

    async def write_segment(self, segment: Segment) -> None:
        """Keep it; a page that is handed over twice changes nothing."""
        item: Item = {
            **_segment_key(segment.number),
            "items": {"N": str(segment.items)},
            "rejected": {"N": str(segment.rejected)},
            "first": {"L": [{"S": text} for text in segment.first]},
            "is_done": {"BOOL": segment.is_done},
        }
        if segment.after is not None:
            item["after"] = {"S": json.dumps(segment.after)}
        await self._put(item)

    async def _put(self, item: Item) -> None:
        await self._api.call("PutItem", {"TableName": self._table, "Item": item})


def _segment_key(number: int) -> Item:
    return {"key": {"S": f"segment/{number}"}}
