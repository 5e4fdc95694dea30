"""Whether the stream still holds everything this shard has not settled.

Trimmed data is never skipped in silence.
"""

import time
from collections.abc import Callable
from datetime import datetime

from checkpoint.api import Api
from checkpoint.held import is_held
from checkpoint.leases import read_lease, was_open_at_trim_horizon
from checkpoint.positions import Positions, ShardPosition, is_complete
from consumer.record import Position
from consumer.settings.context import ShardContext

_SECONDS_AN_HOUR = 3600.0


class TrimCheck:
    """Asks the positions table first, and the stream only where that can't tell."""

    def __init__(
        self,
        context: ShardContext,
        positions: Positions,
        dynamodb: Api,
        kinesis: Api,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._positions = positions
        self._dynamodb = dynamodb
        self._kinesis = kinesis
        self._clock = clock

    async def missing(
        self, shard_id: str, position: Position | None, row: ShardPosition | None
    ) -> str | None:
        """None where nothing can be missing, else what may be, for people.

        Raises:
            Unavailable: it can't be told now.
        """
        parents = await self._parents(shard_id)
        rows = [at for at in (row, *parents) if at is not None]
        # Raised after the fact, the retention would make a time look recent whose records are gone.
        retentions = [at.retention_hours for at in rows if at.retention_hours is not None]
        # A lease set back to a record asks for older ones than those that were caught up with.
        is_older = position is not None and is_rewound(row, position)
        complete = is_complete(
            now=self._clock(),
            retention_seconds=min((self._context.stream_retention_hours, *retentions)) * _SECONDS_AN_HOUR,
            caught_up_at=row.caught_up_at if row is not None and not is_older else None,
            parents_caught_up_at=[at.caught_up_at if at is not None else None for at in parents],
            started_from=self._started_from(),
            first_start_at=self._context.first_start_at,
            is_fresh=position is None,
        )
        if complete or await self._holds(shard_id, position):
            return None
        where = f"from sequence number {position.sequence_number} on" if position else "from the start"
        return (
            f"{shard_id}: records {where} may have been trimmed from stream "
            f"{self._context.settings.source.kinesis.stream!r} (retention "
            f"{self._context.stream_retention_hours} h) before they were read. Rebuild or repair the "
            "targets, then set `on_trimmed: continue` to go on with what the stream still holds"
        )

    async def _parents(self, shard_id: str) -> list[ShardPosition | None]:
        """A row for each parent; none at all where this application read no parent."""
        lease = await read_lease(self._dynamodb, self._context.settings.application, shard_id)
        parents = lease.parents if lease else ()
        rows = [await self._positions.read_shard(parent) for parent in parents]
        return rows if any(rows) else []  # never read by us: the shard is one of the start position's

    def _started_from(self) -> float | None:
        start = self._context.settings.source.kinesis.start
        if isinstance(start, datetime):
            return start.timestamp()
        return self._context.first_start_at if start == "latest" else None

    async def _holds(self, shard_id: str, position: Position | None) -> bool:
        """Whether the stream still has the record at the position; of no position, all of the shard."""
        stream = self._context.settings.source.kinesis.stream
        if position is not None:
            return await is_held(self._kinesis, stream, shard_id, position.sequence_number)
        answer = await self._kinesis.call(
            "GetShardIterator",
            {"StreamName": stream, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"},
            expect=("InvalidArgumentException", "ResourceNotFoundException"),
        )
        if answer.error is not None:  # a shard that is gone with all its records; it is not listed either
            return False
        return not await was_open_at_trim_horizon(self._kinesis, stream, shard_id)


def is_rewound(row: ShardPosition | None, position: Position | None) -> bool:
    """Somebody set the lease back to replay, so that what is settled is to be seen again.

    It is before what KCL has accepted from us.
    """
    if row is None or row.checkpoint is None:
        return False
    return position is None or position.order() < Position(*row.checkpoint).order()
