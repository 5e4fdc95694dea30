"""A rebuild's pod: what goes on beside its daemon, until its model is cut over."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from checkpoint.control import NEVER, Controls
from checkpoint.leases import has_begun, read_leases
from checkpoint.rebuilds import Backfill, Rebuilds
from consumer.commands.rebuild.backfill import Scan
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.commands.rebuild.progress import Progress
from consumer.commands.rebuild.screen import Screen
from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.patience import Patience
from consumer.filters.pattern import Filter, Pattern
from consumer.log import Logger
from consumer.pod.housekeeping import Chore
from consumer.pod.ops import Pod
from consumer.processors.base import ProcessorTools
from consumer.processors.build import build_processor
from consumer.settings.context import ShardContext
from consumer.stores.opened import Stores

_SHOW_EVERY_SECONDS = 1.0


@dataclass(slots=True)
class Result:
    """How it ended; `why_not`: what a person must know where it did not end well."""

    is_cut_over: bool = False
    why_not: str | None = None
    rejected: int = 0
    first_rejected: tuple[str, ...] = ()


class Follower:
    """Shows how far the rebuild is, scans the source beside it, and ends it once it is cut over."""

    def __init__(self, plan: RebuildPlan, screen: Screen, *, backfills: bool) -> None:
        self._plan = plan
        self._screen = screen
        self._backfills = backfills
        self._progress = Progress()
        self._scan: Scan | None = None
        self._told = 0
        self.result = Result()

    @asynccontextmanager
    async def beside(
        self, pod: Pod, context: ShardContext, stores: Stores, log: Logger
    ) -> AsyncIterator[Chore]:
        """Open while the daemon runs; gives what is looked at every few seconds."""
        stopping = asyncio.Event()
        tasks = [asyncio.create_task(self._show(pod))]
        if self._backfills:
            tasks.append(asyncio.create_task(self._backfill(context, stores, stopping, log)))
            tasks[-1].add_done_callback(lambda task: self._see_how_it_ended(task, pod))
        controls = Controls(stores.aws.client("dynamodb", context.region), self._plan.live.application)

        async def look() -> None:
            control = (await controls.read()).get(self._plan.name, NEVER)
            if control.generation > self._plan.generation:
                self.result.is_cut_over = control.into == self._plan.into
                if not self.result.is_cut_over:
                    self.result.why_not = f"{self._plan.name} was cut over to {control.into!r} meanwhile"
                pod.supervisor.stop()

        try:
            yield look
        finally:
            stopping.set()
            tasks[0].cancel()
            await asyncio.wait(tasks)
            self._tell_rejected()
            if self._scan is not None:
                tally = self._scan.tally
                self.result.rejected, self.result.first_rejected = tally.rejected, tuple(tally.first)

    async def _show(self, pod: Pod) -> None:
        was_caught_up = False
        while True:
            report = pod.report()
            self._progress.note(time.monotonic(), report.lag_seconds, report.totals.records_settled)
            self._tell_rejected()
            for problem in report.problems if report.waiting_for is None else ():
                self._screen.show(self._progress.share, f"{self._progress.line()}; {problem}")
                break
            else:
                self._screen.show(self._progress.share, self._line())
            if self._progress.is_caught_up and not was_caught_up and self._is_complete():
                was_caught_up = True
                self._screen.say(
                    f"{self._plan.into} has caught up with the stream, and follows it until it is cut over:"
                    f" tidemark cutover --processor {self._plan.name} --into {self._plan.into}"
                )
            await asyncio.sleep(_SHOW_EVERY_SECONDS)

    def _line(self) -> str:
        if self._scan is None:
            return self._progress.line()
        tally, parts = self._scan.tally, [self._progress.line()]
        if not tally.is_done:
            parts.append(f"{tally.items:,} items scanned")
        if tally.rejected:
            parts.append(f"{tally.rejected:,} could not be put into the model")
        return "; ".join(parts)

    def _tell_rejected(self) -> None:
        """Each of the first few items that the processor can't take, as soon as it is known."""
        first = self._scan.tally.first if self._scan is not None else []
        for line in first[self._told :]:
            self._screen.say(f"an item can't be put into {self._plan.into}: {line}")
        self._told = len(first)

    def _is_complete(self) -> bool:
        return not self._backfills or (self._scan is not None and self._scan.tally.is_done)

    async def _backfill(
        self, context: ShardContext, stores: Stores, stopping: asyncio.Event, log: Logger
    ) -> None:
        dynamodb = stores.aws.client("dynamodb", context.region)
        tools = ProcessorTools(clock=time.time, uniform=random.random, is_stopping=stopping.is_set)
        processor = self._plan.rebuilt
        target = Target(
            processor.name,
            build_processor(processor, context, stores, tools),
            processor.keeps_state,
            Filter(map(Pattern, processor.filters)) if processor.filters else None,
        )

        def tell(why: str | None) -> None:
            if why is not None:
                log.warning("the backfill waits", error=why)

        patience = Patience(stopping, random.random, tell)
        rebuilds = Rebuilds(dynamodb, self._plan.application)
        self._scan = scan = Scan(dynamodb, context.source_table, target, rebuilds, patience, time.time)
        leases = await patience.keep_trying(lambda: read_leases(dynamodb, self._plan.application))
        begun = has_begun(leases)

        def is_too_old(backfill: Backfill) -> bool:
            return not begun and time.time() - backfill.began_at >= context.stream_retention_hours * 3600

        await scan.run(is_too_old=is_too_old)
        if scan.tally.is_done:
            self._screen.say(f"{scan.tally.items:,} items of {context.source_table.name} scanned")

    def _see_how_it_ended(self, task: "asyncio.Task[None]", pod: Pod) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.result.why_not = f"the backfill failed: {error}"
            pod.supervisor.stop()
