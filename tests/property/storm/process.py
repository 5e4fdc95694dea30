"""One shard process: the service's own record path over the history's processors, until it is killed."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from consumer.filters.pattern import Filter, Pattern
from consumer.processors.base import Outcome, Processor
from consumer.processors.gated import GatedProcessor
from consumer.processors.projection.dynamodb import RowSink
from consumer.processors.source import SourceReader
from consumer.settings.context import TableFacts
from consumer.shard.lanes import Lanes, LaneTools, Settle, Ticket
from consumer.shard.path import RecordPath
from consumer.shard.window import Window
from tests.property.storm.history import Course
from tests.property.storm.outfit import Outfit
from tests.property.storm.receiver import Receiver
from tests.property.storm.stores import Connection, Letters
from tests.property.storm.witness import Witness
from tests.property.storm.world import VIEW, World
from tests.support.changes import TABLE


class Process:
    """What a kill takes away."""

    def __init__(self, world: World, outfit: Outfit, who: str, on_step: Callable[[int], None]) -> None:
        """`on_step` is told of each half of a call to a store, by its number, before it is gone."""
        self.gone = asyncio.Event()
        self.is_stopping = False
        self.is_fenced = False
        """It was told that the lease is another's."""
        self.witnesses: dict[str, Witness] = {}
        self._world = world
        self._outfit = outfit
        self._who = who
        self._on_step = on_step
        self._steps = 0
        self._tasks: set[asyncio.Task[None]] = set()
        history = world.history
        self.window = Window(records=history.window_records, size=history.window_bytes)
        courses = {course.name: course for course in history.courses}
        self.path = RecordPath(
            table=TABLE,
            processors=tuple(courses),
            lanes=lambda name, settle: self._lanes(courses[name], settle),
            dead_letters=Letters(world, None, self.step),
            window=self.window,
            metrics=outfit.metrics,
            uniform=world.random.random,
            filters={
                name: Filter(map(Pattern, course.patterns()))
                for name, course in courses.items()
                if course.patterns()
            },
        )

    def hurry(self) -> None:
        """Wait for no batch to fill."""
        self.path.hurry()

    def stop(self) -> None:
        """Begin nothing more."""
        self.is_stopping = True
        self.path.stop()

    def kill(self) -> None:
        """Not a step further."""
        if self.gone.is_set():
            return
        self.gone.set()
        self._world.note(self._who, "is gone")
        for task in self._tasks:
            task.cancel()
        for pipe in (self.window.wake_reader, self.window._wake_writer):  # noqa: SLF001 - closed as by its end
            os.close(pipe)

    async def step(self, where: str) -> None:
        """Half of a call to a store: its time passes, unless the process ends before or meanwhile."""
        self._steps += 1
        self._on_step(self._steps)
        if self.gone.is_set():
            raise asyncio.CancelledError(where)
        await asyncio.sleep(self._world.delay())
        if self.gone.is_set():
            raise asyncio.CancelledError(where)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that is never to fail."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and not self.gone.is_set() and (error := task.exception()) is not None:
            self._world.broken(f"{self._who} failed: {error!r}")

    def _lanes(self, course: Course, settle: Settle) -> Lanes:
        world = self._world
        processor = (
            self._projection()
            if course.is_projection
            else Receiver(world, course, self.step, lambda: self.is_stopping)
        )
        witness = self.witnesses[course.name] = Witness(
            world, course, self._who, processor, lambda: self.is_stopping or self.is_fenced
        )

        def watched_settle(tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
            witness.settle(tickets, outcomes)
            settle(tickets, outcomes)

        return Lanes(
            course.name,
            witness,
            course.policy,
            Letters(world, witness, self.step),
            watched_settle,
            LaneTools(
                clock=world.clock,
                uniform=self._uniform,
                log=self._outfit.log,
                on_rejected_run=lambda: world.note(self._who, "pauses on a rejected run"),
            ),
        )

    def _uniform(self) -> float:
        jitter = self._world.history.jitter
        return self._world.random.random() if jitter is None else jitter

    def _projection(self) -> Processor:
        world, context = self._world, self._outfit.context
        target = context.targets[VIEW]
        assert isinstance(target, TableFacts)
        return GatedProcessor(
            self._outfit.mapping(world.history.when),
            RowSink(
                Connection(world, VIEW, self.step),
                target,
                adopt=False,
                tombstone_seconds=1.0,
                clock=world.clock,
                is_stopping=lambda: self.is_stopping,
            ),
            SourceReader(Connection(world, "source", self.step), context.source_table, readable=True),
            on_tie=lambda: world.note(VIEW, "ties"),
        )
