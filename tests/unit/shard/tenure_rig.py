"""One tenure of a test: the protocol thread over real pipes, with the real record path behind it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TypeVar

from checkpoint.checkpointer import Checkpointer, CheckpointRefusedError
from consumer.log import open_log
from consumer.record import StreamRecord
from consumer.shard.kcl import Daemon
from consumer.shard.lanes import LanePolicy
from consumer.shard.tenure import Tenure
from consumer.shard.window import Window
from tests.support.changes import envelope, in_stream
from tests.support.multilang import (
    ScriptedDaemon,
    initialize,
)
from tests.unit.shard.rig import HeldProcessor, Letters, PathDelivery, item, make_path, running, until

WINDOW_RECORDS = 4

Result = TypeVar("Result")


@dataclass(slots=True)
class Shard:
    """Everything of one tenure under test."""

    daemon: ScriptedDaemon
    delivery: PathDelivery
    processor: HeldProcessor
    letters: Letters
    tenure: "asyncio.Task[None]"

    async def says(self, call: Callable[..., Result], *arguments: object) -> Result:
        """Let the daemon speak while the event loop goes on."""
        return await asyncio.to_thread(call, *arguments)

    async def begin(self) -> None:
        await self.says(self.daemon.exchange, initialize())

    async def ends(self) -> None:
        """The thread is over; raises what it raised."""
        await self.tenure


@asynccontextmanager
async def tenure_of(
    script: ScriptedDaemon,
    *,
    interval: float = 0.0,
    is_parked: bool = False,
    policy: LanePolicy | None = None,
) -> AsyncIterator[Shard]:
    window = Window(records=WINDOW_RECORDS, size=1_000_000)
    processor, letters = HeldProcessor(), Letters()
    path = make_path({"view": processor}, window, letters, policy=policy)
    delivery = PathDelivery(path, window, is_parked=is_parked)
    daemon = Daemon(script.child_input, script.child_output, window.wake_reader)
    checkpointer = Checkpointer(daemon.checkpoint, interval=interval, clock=time.monotonic)
    tenure = Tenure(
        daemon, delivery, checkpointer, drain_seconds=20.0, clock=time.monotonic, log=open_log(BytesIO())
    )
    async with running(delivery):
        task = asyncio.create_task(asyncio.to_thread(tenure.run))
        try:
            yield Shard(script, delivery, processor, letters, task)
        finally:
            script.hang_up()
            with suppress(CheckpointRefusedError):
                await task
            processor.let_go()


def records(*letters: str, first: int = 1) -> list[StreamRecord]:
    """A record an item, at sequence numbers from `first` on; each item has a lane of its own."""
    return [
        in_stream(envelope("INSERT", {"id": {"S": name}}, 1, new={"id": {"S": name}}), number)
        for number, name in enumerate(map(item, letters), first)
    ]


async def settled(shard: Shard, count: int) -> None:
    """Wait until so many records were applied: they are settled in the same step."""
    await until(lambda: len(shard.processor.applied) == count)
