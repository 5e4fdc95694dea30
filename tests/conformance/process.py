"""One shard process: the service's own processor and lanes, from a place in the shard to the end of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from operator import attrgetter

import structlog

from consumer.log import Logger
from consumer.processors.base import Outcome, Processor, ProcessorTools
from consumer.processors.build import build_processor
from consumer.settings.context import ShardContext
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.lanes import LanePolicy, Lanes, LaneTools, Ticket
from consumer.shard.retry import Backoff
from consumer.stores.opened import Stores
from tests.conformance.history import Ending
from tests.conformance.pace import Pace
from tests.conformance.world import World

PROCESSOR = "under-test"

_SILENT: Logger = structlog.wrap_logger(
    None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
)


@dataclass(frozen=True, slots=True)
class Stage:
    """What every shard process of a history is made with.

    Attributes:
        stores: of one process, whose steps go at its pace.
        clock: Unix seconds.
    """

    world: World
    context: ShardContext
    stores: Callable[[Pace], AbstractAsyncContextManager[Stores]]
    clock: Callable[[], float]

    def processor(self, stores: Stores, is_stopping: Callable[[], bool] = lambda: False) -> Processor:
        """The processor under test, as a shard process builds it."""
        (settings,) = self.context.settings.processors
        tools = ProcessorTools(clock=self.clock, uniform=self.world.random.random, is_stopping=is_stopping)
        return build_processor(settings, self.context, stores, tools)


class Process:
    """What a kill takes away."""

    def __init__(self, stage: Stage, shard: int, who: str, start: int, ending: Ending | None) -> None:
        """`start`: the place in the shard before which all is settled."""
        self.over = asyncio.Event()
        """It has ended, or another owner of the lease may begin."""
        self.frontier = start
        self._stage = stage
        self._shard = shard
        self._start = start
        self._end = len(stage.world.streams[shard])
        self._ending = ending
        self._settled: set[int] = set()
        self._progress = asyncio.Event()
        self._is_stopping = False
        self._has_ended = False
        self._dies_at: int | None = None
        self._pace = Pace(stage.world, who, self._on_step)
        self.task = asyncio.create_task(self._live())
        self.task.add_done_callback(lambda _: self.over.set())

    @property
    def is_at_the_end(self) -> bool:
        """All of the shard is settled."""
        return self.frontier == self._end

    def _on_step(self, step: int, reads: int) -> None:
        ending = self._ending
        if step == self._dies_at:
            self._kill()
        if ending is None or self._has_ended or (reads if ending.of_reads else step) != ending.step:
            return
        self._has_ended = True
        self._pace.note(ending.how)
        if ending.how == "killed":
            self._kill()
        elif ending.how == "drained":
            self._is_stopping = True
            self._progress.set()
        else:
            self._pace.lose_lease()
            self._dies_at = None if ending.lingers is None else step + ending.lingers
            self.over.set()

    def _kill(self) -> None:
        self._pace.note("is gone")
        self._pace.kill()
        self.task.cancel()

    async def _live(self) -> None:
        with suppress(asyncio.CancelledError):
            async with self._stage.stores(self._pace) as stores:
                processor = self._stage.processor(stores, lambda: self._is_stopping)
                lanes = self._lanes(processor)
                self._pace.note(f"begins at place {self._start}")
                async with asyncio.TaskGroup() as group:
                    delivering = group.create_task(lanes.run())
                    await self._feed(lanes)
                    while not (self._is_stopping or self.is_at_the_end):
                        await self._news()
                    lanes.stop()
                    await delivering
                self._pace.note(f"ends at place {self.frontier}")

    def _lanes(self, processor: Processor) -> Lanes:
        world, unit = self._stage.world, self._stage.world.unit
        policy = LanePolicy(
            lanes=world.history.lanes,
            batch_size=world.history.batch,
            coalesces=True,
            stands_alone=attrgetter("is_expiry") if world.case.keeps_expired else None,
            maximum_retry_attempts=1,
            backoff=Backoff(unit, 50 * unit),
        )
        tools = LaneTools(clock=self._stage.clock, uniform=world.random.random, log=_SILENT)
        return Lanes(PROCESSOR, processor, policy, _Letters(world, self._pace), self._settle, tools)

    async def _feed(self, lanes: Lanes) -> None:
        """Messages, one after the other, each once there is room."""
        history = self._stage.world.history
        for first in range(self._start, self._end, history.message):
            places = range(first, min(first + history.message, self._end))
            while first - self._start - len(self._settled) >= history.window and not self._is_stopping:
                await self._news()
            if self._is_stopping:
                return
            await self._stage.world.written(places, self._shard)
            lanes.give([(place, self._stage.world.streams[self._shard][place]) for place in places])

    async def _news(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _settle(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        for (place, change), outcome in zip(tickets, outcomes, strict=True):
            assert place not in self._settled, f"place {place} is settled twice"
            self._settled.add(place)
            number = self._stage.world.shards[self._shard].stream[place]
            self._pace.note(f"place {place}, write {number} of {change.item}: {outcome.kind}")
        while self.frontier in self._settled:
            self.frontier += 1
        self._progress.set()


class _Letters:
    """Where one shard process keeps its dead letters."""

    def __init__(self, world: World, pace: Pace) -> None:
        self._world = world
        self._pace = pace

    async def write(self, letter: DeadLetter) -> None:
        """Keep it; where the process ends before it is told so, it is kept all the same."""
        await self._pace("letter")
        self._world.letters.append(letter)
        self._pace.note(f"letter for place {letter.record.sequence_number}: {letter.error.code}")
        await self._pace("letter")
