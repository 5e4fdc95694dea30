"""A shard of a test: the real record path and lanes over a processor that does as it is told, without AWS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import count

from prometheus_client import CollectorRegistry

from checkpoint.checkpointer import Place
from consumer.errors import Unavailable
from consumer.filters.pattern import Filter
from consumer.log import open_log
from consumer.metrics import Metrics
from consumer.processors.base import APPLIED, Outcome, Processor
from consumer.record import ChangeRecord, Position, StreamRecord
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.lanes import LanePolicy, Lanes, LaneTools, Settle
from consumer.shard.path import Decoded, RecordPath, decode_all
from consumer.shard.window import Window
from tests.support.changes import TABLE

PATIENCE_SECONDS = 30.0
LANES = 64


def item(letter: str) -> str:
    """An item with a lane of its own; text hashes differ from process to process, so it is looked for."""
    names = (f"{letter}{number}" for number in count())
    return next(name for name in names if hash(name) % LANES == ord(letter) % LANES)


class Letters:
    """Keeps dead letters in memory, but for the first few times."""

    def __init__(self, failures: int = 0) -> None:
        self.kept: list[DeadLetter] = []
        self._failures = failures

    async def write(self, letter: DeadLetter) -> None:
        if self._failures:
            self._failures -= 1
            raise Unavailable("the volume is full", code="DeadLetterFile")
        self.kept.append(letter)


class HeldProcessor:
    """Applies a record once the test lets its item go."""

    def __init__(self) -> None:
        self.begun = 0
        self.applied: list[ChangeRecord] = []
        self._let_go: dict[str, asyncio.Event] = {}
        self._all = False

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        for record in records:
            self.begun += 1
            if not self._all:
                await self._event(record.item).wait()
            self.applied.append(record)
        return [APPLIED] * len(records)

    def let_go(self, *letters: str) -> None:
        """Let the records of these items through; none named: every record from now on."""
        self._all = self._all or not letters
        for name in [item(letter) for letter in letters] or tuple(self._let_go):
            self._event(name).set()

    def _event(self, name: str) -> asyncio.Event:
        return self._let_go.setdefault(name, asyncio.Event())


def make_path(
    processors: dict[str, Processor],
    window: Window,
    dead_letters: Letters,
    filters: Mapping[str, Filter] | None = None,
    policy: LanePolicy | None = None,
) -> RecordPath:
    """A record path, with one record a batch where the test does not say otherwise."""

    def make_lanes(name: str, settle: Settle) -> Lanes:
        tools = LaneTools(clock=lambda: 0.0, uniform=lambda: 0.0, log=open_log(BytesIO()))
        own = policy or LanePolicy(lanes=LANES, batch_size=1)
        return Lanes(name, processors[name], own, dead_letters, settle, tools)

    return RecordPath(
        table=TABLE,
        processors=tuple(processors),
        lanes=make_lanes,
        dead_letters=dead_letters,
        window=window,
        metrics=Metrics(CollectorRegistry()),
        uniform=lambda: 0.0,
        filters=filters or {},
    )


class PathDelivery:
    """What tenure needs of the event loop's side, around a record path."""

    def __init__(self, path: RecordPath, window: Window, *, is_parked: bool = False) -> None:
        self.window = window
        self.is_started = False
        self.is_stopping = False
        self.is_lease_lost = False
        self.is_parked = is_parked
        self.is_drained = False
        self.begun: list[tuple[str, Position | None]] = []
        self.heard: list[int | None] = []
        self.accepted: list[Place | None] = []
        self.finished = 0
        self._path = path
        self._loop = asyncio.get_running_loop()

    @property
    def place(self) -> Place | None:
        low = self._path.frontier.low
        return None if low is None else (low.sequence_number, low.sub_sequence_number)

    def begin(self, shard_id: str, position: Position | None) -> None:
        self.begun.append((shard_id, position))
        self.is_started = True

    def accept(
        self, records: list[StreamRecord], decoded: list[Decoded], millis_behind_latest: int | None
    ) -> None:
        self.heard.append(millis_behind_latest)
        self._loop.call_soon_threadsafe(self._path.accept, records, decoded)

    def hurry(self) -> None:
        self._loop.call_soon_threadsafe(self._path.hurry)

    def stop(self, *, lease_lost: bool) -> None:
        self.is_lease_lost = self.is_lease_lost or lease_lost
        self.is_stopping = True
        self._loop.call_soon_threadsafe(self._path.stop)
        self.window.wake()

    def checkpointed(self, place: Place | None) -> None:
        self.accepted.append(place)

    def finish(self) -> None:
        self.finished += 1

    async def run(self) -> None:
        """Deliver until stopped."""
        await self._path.run()
        self.is_drained = True
        self.window.wake()


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for something another thread or task brings about; the caller's time-out is the limit."""
    while not is_true():  # noqa: ASYNC110 - the other side is product code that sets no event of ours
        await asyncio.sleep(0.001)


@asynccontextmanager
async def running(delivery: PathDelivery) -> AsyncIterator[None]:
    """Deliver in the background; stops in the end."""
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(delivery.run())
        try:
            yield
        finally:
            delivery.stop(lease_lost=False)


@dataclass(slots=True)
class Way:
    """A record path that delivers, with two processors."""

    path: RecordPath
    window: Window
    view: HeldProcessor
    audit: HeldProcessor

    def accept(self, *records: StreamRecord) -> None:
        self.window.admit(len(records), sum(len(record.data) for record in records))
        self.path.accept(list(records), decode_all(records))

    @property
    def low(self) -> str | None:
        low = self.path.frontier.low
        return None if low is None else low.sequence_number


@asynccontextmanager
async def way(
    letters: Letters | None = None, filters: Mapping[str, Filter] | None = None
) -> AsyncIterator[Way]:
    """A path in the background; its processors let everything go at the end."""
    window = Window(records=1_000, size=1_000_000)
    view, audit = HeldProcessor(), HeldProcessor()
    path = make_path({"view": view, "audit": audit}, window, letters or Letters(), filters)
    async with running(PathDelivery(path, window)):
        try:
            yield Way(path, window, view, audit)
        finally:
            view.let_go()
            audit.let_go()
