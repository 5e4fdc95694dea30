"""Our own table: the application's first start, source and processors, and how far each is in each shard.

Table `<application>-positions`, hash key `key`:

    first-start          at
    source               stream, table
    processors           fingerprints {name: text}
    shard/<shard id>     processors {name: {sequence_number, sub_sequence_number, fingerprint}}, caught_up_at,
                         retention_hours, checkpoint {sequence_number, sub_sequence_number},
                         stopped {name: {token, worker, sequence_number, sub_sequence_number}}
    control, table/...   see control.py
    rebuild, segment/... see rebuilds.py
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from checkpoint.api import Api
from checkpoint.tables import Item, Pause, TableSchema, ensure_table, find_item, get_item, scan

SUFFIX = "-positions"

_FIRST_START = "first-start"
_SOURCE = "source"
PROCESSORS = "processors"
_SHARD = "shard/"

_SKEW_SECONDS = 300.0
"""How far the clocks of two pods may differ: a time further ahead was told by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class ProcessorPosition:
    """All records of the shard up to and with this one are settled by a processor of these settings."""

    sequence_number: str
    sub_sequence_number: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A processor of the shard writes nothing more, as a cut-over asked for.

    Attributes:
        token: the cut-over's.
        worker: whose process says so.
        place: the newest record it may have written anything of; None: none at all.
    """

    token: str
    worker: str
    place: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class ShardPosition:
    """Where the processors of one shard are.

    Attributes:
        caught_up_at: Unix seconds at which the shard's end was last reached with everything settled.
        checkpoint: the last place that KCL accepted from us; a lease before it was set back, to replay.
        retention_hours: the stream's, as the pod that wrote the row knew it.
        stopped: the processors that stand still for a cut-over.
    """

    shard_id: str
    processors: Mapping[str, ProcessorPosition]
    caught_up_at: float | None
    checkpoint: tuple[str, int] | None = None
    retention_hours: int | None = None
    stopped: Mapping[str, Stopped] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessorChanges:
    """How the settings' processors differ from those the application has run with; names in order."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class Positions:
    """The positions table of one application."""

    def __init__(self, api: Api, application: str) -> None:
        self._api = api
        self._table = application + SUFFIX

    async def create(self, pause: Pause = asyncio.sleep) -> None:
        """Make the table if it is not there.

        Raises:
            TableNotReadyError: it was not ACTIVE in time.
        """
        await ensure_table(self._api, TableSchema(self._table, "key"), pause)

    async def first_start(self, now: float) -> int:
        """The time of the application's first start: `now` if this is it.

        Whole Unix seconds, rounded down: as the daemon takes a start position, and early rather than late.
        """
        at = math.floor(now)
        request = {
            "TableName": self._table,
            "Item": {"key": {"S": _FIRST_START}, "at": {"N": str(at)}},
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": "key"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        answer = await self._api.call("PutItem", request, expect=("ConditionalCheckFailedException",))
        if answer.error is None:
            return at
        return int(answer.body["Item"]["at"]["N"])

    async def read_source(self) -> tuple[str, str] | None:
        """The stream and the table the application has run with; None before that was kept."""
        item = await get_item(self._api, self._table, {"key": {"S": _SOURCE}})
        return None if item is None else (item["stream"]["S"], item["table"]["S"])

    async def write_source(self, stream: str, table: str) -> None:
        """Keep where its changes come from, once it is accepted."""
        item: Item = {"key": {"S": _SOURCE}, "stream": {"S": stream}, "table": {"S": table}}
        await self._api.call("PutItem", {"TableName": self._table, "Item": item})

    async def read_processors(self) -> dict[str, str] | None:
        """The fingerprint of each processor the application has run with; None before it first did."""
        item = await find_item(self._api, self._table, {"key": {"S": PROCESSORS}})
        if item is None:
            return None
        return {name: value["S"] for name, value in item["fingerprints"]["M"].items()}

    async def write_processors(
        self, fingerprints: Mapping[str, str], over: Mapping[str, str] | None = None
    ) -> bool:
        """Keep what the settings now have, once it is accepted, instead of what was read (None: nothing).

        False: something else stands there by now, such as what a cut-over has finished with meanwhile.
        """
        request: dict[str, object] = {
            "TableName": self._table,
            "Item": {"key": {"S": PROCESSORS}, "fingerprints": _fingerprints(fingerprints)},
            "ConditionExpression": "attribute_not_exists(#key)" if over is None else "#of = :over",
            "ExpressionAttributeNames": {"#key": "key"} if over is None else {"#of": "fingerprints"},
        }
        if over is not None:
            request["ExpressionAttributeValues"] = {":over": _fingerprints(over)}
        answer = await self._api.call("PutItem", request, expect=("ConditionalCheckFailedException",))
        # An answer that was lost is asked for again, and then its own write is in the way.
        return answer.error is None or await self.read_processors() == dict(fingerprints)

    async def read_shard(self, shard_id: str) -> ShardPosition | None:
        """One shard's row, read consistently."""
        item = await get_item(self._api, self._table, {"key": {"S": _SHARD + shard_id}})
        return None if item is None else _position(item)

    async def read_all(self) -> list[ShardPosition]:
        """All shards' rows, closed shards' too, by shard id."""
        items = [item async for item in scan(self._api, self._table)]
        found = [_position(item) for item in items if item["key"]["S"].startswith(_SHARD)]
        return sorted(found, key=lambda position: position.shard_id)

    async def write_shard(self, position: ShardPosition) -> None:
        """Replace the shard's row.

        A plain put, though a worker that lost its lease may still write: what it says is settled is settled,
        and a frontier put back only repeats what the version gate ignores.
        """
        await self._api.call("PutItem", {"TableName": self._table, "Item": _item(position)})


def changed_processors(known: Mapping[str, str] | None, fingerprints: Mapping[str, str]) -> ProcessorChanges:
    """Compare the fingerprints the application has run with to those of the settings; None: it never ran."""
    if known is None:
        return ProcessorChanges((), (), ())
    return ProcessorChanges(
        new=tuple(name for name in fingerprints if name not in known),
        changed=tuple(name for name, value in fingerprints.items() if known.get(name, value) != value),
        removed=tuple(name for name in known if name not in fingerprints),
    )


def is_complete(
    *,
    now: float,
    retention_seconds: float,
    caught_up_at: float | None,
    parents_caught_up_at: Iterable[float | None],
    started_from: float | None,
    first_start_at: float,
    is_fresh: bool,
) -> bool:
    """Whether nothing can have been trimmed unread, told without the stream. False: ask it.

    Up to the last time the shard was caught up everything is settled, and what came since is younger than the
    retention. Where it never was, the earliest of its parents' times stands for it, then the start position.
    The first start at the trim horizon is no such time: the backlog it found may have been trimmed since. A
    time that is yet to come tells nothing. All times are Unix seconds.

    Args:
        now: the time of the question.
        retention_seconds: the shortest the stream is known to have had since.
        caught_up_at: the shard's own.
        parents_caught_up_at: one for each parent this application has read; None: it never was.
        started_from: the time the start position names; None for the trim horizon.
        first_start_at: the time of the application's first start.
        is_fresh: nothing of the shard was ever checkpointed.
    """
    parents = list(parents_caught_up_at)
    known = [at for at in parents if at is not None and at <= now + _SKEW_SECONDS]
    since: float | None = None
    if caught_up_at is not None and caught_up_at <= now + _SKEW_SECONDS:
        since = caught_up_at
    elif parents and len(known) == len(parents):
        since = min(known)
    elif started_from is not None and first_start_at - started_from < retention_seconds:
        since = started_from
    if since is None:
        # From the trim horizon, or from a time the stream no longer had: what it holds is what was asked for.
        return is_fresh and not parents
    return now - since < retention_seconds


def _fingerprints(fingerprints: Mapping[str, str]) -> dict[str, object]:
    return {"M": {name: {"S": fingerprint} for name, fingerprint in fingerprints.items()}}


def _item(position: ShardPosition) -> Item:
    item: Item = {
        "key": {"S": _SHARD + position.shard_id},
        "processors": {
            "M": {
                name: {
                    "M": {
                        **_place((at.sequence_number, at.sub_sequence_number)),
                        "fingerprint": {"S": at.fingerprint},
                    }
                }
                for name, at in position.processors.items()
            }
        },
    }
    if position.caught_up_at is not None:
        item["caught_up_at"] = {"N": repr(position.caught_up_at)}
    if position.retention_hours is not None:
        item["retention_hours"] = {"N": str(position.retention_hours)}
    if position.checkpoint is not None:
        item["checkpoint"] = {"M": _place(position.checkpoint)}
    if position.stopped:
        item["stopped"] = {
            "M": {
                name: {"M": {"token": {"S": at.token}, "worker": {"S": at.worker}, **_place(at.place)}}
                for name, at in position.stopped.items()
            }
        }
    return item


def _place(place: tuple[str, int] | None) -> Item:
    if place is None:
        return {}
    return {"sequence_number": {"S": place[0]}, "sub_sequence_number": {"N": str(place[1])}}


def _place_of(item: Item) -> tuple[str, int] | None:
    if "sequence_number" not in item:
        return None
    return item["sequence_number"]["S"], int(item["sub_sequence_number"]["N"])


def _position(item: Item) -> ShardPosition:
    processors = {
        name: ProcessorPosition(
            sequence_number=value["M"]["sequence_number"]["S"],
            sub_sequence_number=int(value["M"]["sub_sequence_number"]["N"]),
            fingerprint=value["M"]["fingerprint"]["S"],
        )
        for name, value in item["processors"]["M"].items()
    }
    stopped = {
        name: Stopped(value["M"]["token"]["S"], value["M"]["worker"]["S"], _place_of(value["M"]))
        for name, value in item.get("stopped", {}).get("M", {}).items()
    }
    return ShardPosition(
        shard_id=item["key"]["S"].removeprefix(_SHARD),
        processors=processors,
        caught_up_at=float(item["caught_up_at"]["N"]) if "caught_up_at" in item else None,
        checkpoint=_place_of(item["checkpoint"]["M"]) if "checkpoint" in item else None,
        retention_hours=int(item["retention_hours"]["N"]) if "retention_hours" in item else None,
        stopped=stopped,
    )
