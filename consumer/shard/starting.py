"""What a shard process tells before its books are open, and whether its lease is still its own."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from checkpoint.api import Api
from checkpoint.leases import read_lease
from consumer.errors import Unavailable
from consumer.settings.context import ShardContext
from consumer.shard.bookkeeping import TICK_SECONDS
from consumer.status import ShardStatus, write_status


@dataclass(frozen=True, slots=True)
class Starting:
    """A shard that asks where to begin. `waits_for`: what it can't get yet, for people."""

    shard_id: str
    waits_for: Callable[[], str | None]
    started_at: float = field(default_factory=time.time)

    async def tell(self, run_directory: Path, *, until: Callable[[], bool]) -> None:
        """Until the bookkeeper does: a shard that can't begin must not be missing from /status."""
        while not until():
            status = ShardStatus(
                shard_id=self.shard_id,
                pid=os.getpid(),
                state="starting",
                ticked_at=time.time(),
                started_at=self.started_at,
                message=self.waits_for(),
            )
            write_status(run_directory, status)
            await asyncio.sleep(TICK_SECONDS)


async def is_taken(dynamodb: Api, context: ShardContext, shard_id: str) -> bool:
    """Whether the lease is another worker's; not while it can't be read: nobody can have written it then."""
    try:
        lease = await read_lease(dynamodb, context.settings.application, shard_id)
    except Unavailable:
        return False
    return lease is None or lease.owner != context.worker_id
