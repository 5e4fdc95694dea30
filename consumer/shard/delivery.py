"""The event loop's side of a shard.

Begins it, delivers in the background, and tells the protocol thread what it must know.

The protocol thread only calls what is marked so; everything else runs in the loop. Attributes read across
threads are single values.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from checkpoint.checkpointer import Place
from checkpoint.control import Controls
from checkpoint.positions import Positions
from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.metrics import Metrics
from consumer.processors.build import BuildProcessor
from consumer.record import Position, StreamRecord
from consumer.settings.context import ShardContext
from consumer.shard.assembly import Assembly
from consumer.shard.bookkeeping import Bookkeeper, Books, fingerprints_of
from consumer.shard.path import Decoded, RecordPath
from consumer.shard.retry import Backoff
from consumer.shard.standstill import Standstill
from consumer.shard.starting import Starting, is_taken
from consumer.shard.trimmed import TrimCheck, is_rewound
from consumer.shard.window import Window
from consumer.stores.opened import Stores

_LEASE_LOOK_SECONDS = 5.0
_CONTROL_LOOK_SECONDS = 2.0
_FINISH_SECONDS = 3.0


class ShardDelivery:
    """One shard from begin to stop."""

    def __init__(
        self,
        context: ShardContext,
        stores: Stores,
        metrics: Metrics,
        run_directory: Path,
        log: Logger,
        build: BuildProcessor,
    ) -> None:
        """Take what the pod found out, and what the process shares."""
        self._context = context
        self._stores = stores
        self._metrics = metrics
        self._run_directory = run_directory
        self._build = build
        self._loop = asyncio.get_running_loop()
        settings = context.settings
        self.window = Window(records=settings.window.records, size=settings.window.mebibytes * 2**20)
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Resolved with the exception that ends the process."""
        self.is_started = False
        self.is_stopping = False
        self.is_lease_lost = False
        self.is_parked = False
        self.is_drained = False
        self.shard_id: str | None = None
        self._waits_for: str | None = None
        self._books: Books | None = None
        self._bookkeeper: Bookkeeper | None = None
        self._path: RecordPath | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = log
        dynamodb = stores.aws.client("dynamodb", context.region)
        self._dynamodb = dynamodb
        self._positions = Positions(dynamodb, settings.application)
        self._controls = Controls(dynamodb, settings.application)

    # --- called by the protocol thread ---

    @property
    def place(self) -> Place | None:
        """Where the frontier is."""
        low = self._path.frontier.low if self._path is not None else None
        return None if low is None else (low.sequence_number, low.sub_sequence_number)

    def begin(self, shard_id: str, position: Position | None) -> None:
        """Start for a shard."""
        self._submit(self._begin(shard_id, position))

    def accept(
        self, records: list[StreamRecord], decoded: list[Decoded], millis_behind_latest: int | None
    ) -> None:
        """Deliver in the background."""
        self._loop.call_soon_threadsafe(self._accept, records, decoded, millis_behind_latest)

    def hurry(self) -> None:
        """Wait for no batch to fill."""
        self._loop.call_soon_threadsafe(self._hurry)

    def stop(self, *, lease_lost: bool) -> None:
        """Begin nothing more."""
        self.is_lease_lost = self.is_lease_lost or lease_lost
        self.is_stopping = True
        self._loop.call_soon_threadsafe(self._stop)

    def checkpointed(self, place: Place | None) -> None:
        """KCL accepted a checkpoint."""
        self._loop.call_soon_threadsafe(self._checkpointed, place)

    def finish(self) -> None:
        """Write down where each processor is, if that can be done soon."""
        future = self._submit(self._finish())
        try:
            future.result(timeout=_FINISH_SECONDS)
        except (TimeoutError, Unavailable):
            self._log.warning(
                "the positions could not be written at the end; some records will be seen again"
            )

    # --- the loop ---

    def drain(self) -> None:
        """The pod is stopping (SIGUSR1): let go of whatever is held."""
        self.is_stopping = True
        self._stop()

    async def _begin(self, shard_id: str, position: Position | None) -> None:
        self.shard_id = shard_id
        starting = Starting(shard_id, waits_for=lambda: self._waits_for)
        self._spawn(starting.tell(self._run_directory, until=lambda: self.is_started))
        row = await self._patiently(lambda: self._positions.read_shard(shard_id))
        kinesis = self._stores.aws.client("kinesis", self._context.region)
        check = TrimCheck(self._context, self._positions, self._dynamodb, kinesis)
        message = await self._patiently(lambda: check.missing(shard_id, position, row))
        settings = self._context.settings
        if message is not None:
            action = settings.on_trimmed
            self._metrics.trimmed.labels(action).inc()
            self._log.error("data may be missing", shard=shard_id, action=action, message=message)
            self.is_parked = action == "park"
        assembly = Assembly(
            self._context,
            self._stores,
            self._metrics,
            self.window,
            self._log,
            self._build,
            is_stopping=lambda: self.is_stopping,
        )
        self._path = assembly.path(shard_id)
        standstill = Standstill(self._context, self._path, assembly.brakes)
        # Before anything is delivered: whoever begins while a processor is to stand still begins like that.
        standstill.heed(await self._patiently(self._controls.read))
        rewound = is_rewound(row, position)
        fingerprints = fingerprints_of(self._context)
        if row is not None and not rewound:
            self._path.resume(
                {
                    name: Position(mark.sequence_number, mark.sub_sequence_number)
                    for name, mark in row.processors.items()
                    if mark.fingerprint == fingerprints.get(name)
                }
            )
        parked = message if self.is_parked else None
        self._books = Books(shard_id, row, parked=parked, position=position, replay=rewound)
        self._bookkeeper = Bookkeeper(
            self._context,
            self._path,
            self._books,
            self._metrics,
            self._positions,
            self._run_directory,
            self._log,
            standstill,
        )
        self._spawn(self._deliver(self._path))
        self._spawn(self._heed(standstill, self._bookkeeper))
        self._spawn(self._bookkeeper.run())
        self._spawn(self._watch_lease(shard_id))
        self._log.info(
            "the shard begins",
            shard=shard_id,
            position=None if position is None else position.sequence_number,
            parked=self.is_parked,
            replay=rewound,
        )
        if self.is_stopping:
            self._path.stop()
        self.is_started = True
        self.window.wake()

    async def _heed(self, standstill: Standstill, bookkeeper: Bookkeeper) -> None:
        """Stop and go as the control row says; what has come to rest is told at once."""
        while True:
            await asyncio.sleep(_CONTROL_LOOK_SECONDS)
            try:
                standstill.heed(await self._controls.read())
                if standstill.reasons:
                    await bookkeeper.write_positions()
            except Unavailable as error:
                self._log.warning("the control row can't be read now", error=str(error))

    async def _deliver(self, path: RecordPath) -> None:
        try:
            await path.run()
        finally:
            self.is_drained = True
            self.window.wake()

    def _accept(
        self, records: list[StreamRecord], decoded: list[Decoded], millis_behind_latest: int | None
    ) -> None:
        if self._path is None or self._books is None:
            return
        try:
            if self._path.accept(records, decoded):
                self._books.heard(time.time(), millis_behind_latest, self._path.frontier.accepted)
        except Exception as error:  # noqa: BLE001 - the loop would only log it, and the batch be passed over
            self._fail(error)

    def _hurry(self) -> None:
        if self._path is not None:
            self._path.hurry()

    def _stop(self) -> None:
        if self._bookkeeper is not None:
            self._bookkeeper.state = "draining"
        if self._path is not None:
            self._path.stop()
        else:
            self.is_drained = True
        self.window.wake()

    def _checkpointed(self, place: Place | None) -> None:
        if self._books is not None:
            self._books.checkpointed(time.time(), place)

    async def _finish(self) -> None:
        if self._bookkeeper is not None:
            await self._bookkeeper.write_positions()

    async def _watch_lease(self, shard_id: str) -> None:
        """While an answer is held KCL can't tell us that the lease is lost: look at its row ourselves."""
        while not self.is_stopping:
            await asyncio.sleep(_LEASE_LOOK_SECONDS)
            if self.window.is_awaited and await is_taken(self._dynamodb, self._context, shard_id):
                self._log.warning("another worker took the lease while an answer was held", shard=shard_id)
                self.stop(lease_lost=True)

    async def _patiently(self, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401 - the attempt's
        tries = 0
        while True:
            try:
                return await attempt()
            except Unavailable as error:
                tries += 1
                self._waits_for = f"can't begin the shard yet: {error}"
                self._log.warning("can't begin the shard yet", error=str(error))
                await asyncio.sleep(Backoff().delay(tries, random.random()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)

    def _submit(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.add_done_callback(self._submitted)
        return future

    def _submitted(self, future: Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, Unavailable):
            self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
