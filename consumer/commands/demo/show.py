"""The demo from the first order to the last figure."""

import asyncio
import json
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from consumer.commands.demo.comparison import Comparison, compare
from consumer.commands.demo.figures import Counts, Report
from consumer.commands.demo.orders import OrderBook
from consumer.commands.demo.screen import Playbill, Scene, Screen, open_screen
from consumer.commands.demo.service import Account, Service, service_environment
from consumer.commands.demo.stage import (
    ORDER_VIEW,
    ORDERS,
    Stage,
    build,
    count_rows,
    open_stage,
    read_items,
    write_settings,
)
from consumer.commands.demo.writer import Writer
from consumer.errors import SettingsError, TidemarkError, Unavailable
from sandbox.errors import SandboxError
from sandbox.process import REGION, SandboxProcess

START_SECONDS = 90.0
SETTLE_SECONDS = 60.0
DRAIN_SECONDS = 40.0
_TICK_SECONDS = 0.25
_COUNTING_SHARE = 0.05
"""Of the time, at most, goes into counting the read model's rows: the sandbox has other work."""
_DIFFERENCES_SHOWN = 10
_NEARLY = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """What the person asked for. `duration` None: until Ctrl-C; `ops_port` 0: any that is free."""

    duration: float | None
    rate: float
    shards: int
    report: Path | None
    ops_port: int
    seed: int


async def run_demo(plan: Plan, console: Console | None = None) -> int:
    """Play the demo; the exit code: 0 if table and read model are the same, 1 if a row differs.

    Raises:
        SettingsError: the report can't be written where it was asked for.
        TidemarkError: the sandbox or the service did not do its part; the text says why.
    """
    console = console or Console()
    _see_that_it_can_be_written(plan.report)
    directory = Path(tempfile.mkdtemp(prefix="tidemark-demo-"))
    with ExitStack() as stack:
        console.print("Starting a sandbox: AWS in a process on this machine.", highlight=False)
        try:
            sandbox = stack.enter_context(SandboxProcess())
        except SandboxError as error:
            raise TidemarkError(str(error)) from error
        async with open_stage(sandbox.endpoint, REGION) as stage:
            await build(stage, plan.shards)
            settings = write_settings(directory)
            service = Service(directory, settings, service_environment(sandbox.environment), plan.ops_port)
            stack.callback(service.close)
            playbill = Playbill(service.url, settings, service.log, plan.rate)
            with open_screen(console, playbill) as screen:
                demo = _Demo(plan, stage, service, screen)
                await demo.play()
            console.print("Comparing table and read model, and stopping the service.", highlight=False)
            comparison = await demo.judge()
            drained = await demo.drain()
    report = demo.report(comparison, drained)
    _tell(console, report, comparison, plan)
    if plan.report is not None:
        plan.report.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    return 1 if comparison.differences else 0


class _Demo:
    """One performance: what was seen so far, and the acts in their order."""

    def __init__(self, plan: Plan, stage: Stage, service: Service, screen: Screen) -> None:
        self._plan = plan
        self._stage = stage
        self._service = service
        self._screen = screen
        self._writer = Writer(stage.dynamodb, OrderBook(ORDERS, random.Random(plan.seed)))
        self._began = time.monotonic()
        self._account: Account | None = None
        self._rows: int | None = None
        self._first_settled: float | None = None
        self._settled_in_time = False

    async def play(self) -> None:
        """Write one order, wait until it arrives, write at the rate asked for, wait until all is settled."""
        counting = asyncio.create_task(self._count_rows())
        try:
            with _until_interrupted() as interrupted:
                await self._writer.write_one()
                await self._watch("starting the service", self._saw_first, START_SECONDS, interrupted)
                if not interrupted.is_set():
                    self._see_that_it_started()
                    await self._write(interrupted)
            self._settled_in_time = await self._watch("settling what is left", self._saw_all, SETTLE_SECONDS)
        finally:
            counting.cancel()

    async def judge(self) -> Comparison:
        """Compare the table and the read model as they are now."""
        orders, view = await asyncio.gather(
            read_items(self._stage.dynamodb, ORDERS), read_items(self._stage.dynamodb, ORDER_VIEW)
        )
        return compare(orders, view)

    async def drain(self) -> float | None:
        """Stop the service as Kubernetes would; seconds it took, None if it did not end well."""
        began = time.monotonic()
        ended_well = await self._service.drain(DRAIN_SECONDS)
        return time.monotonic() - began if ended_well else None

    def report(self, comparison: Comparison, drain_seconds: float | None) -> Report:
        """The figures of it all."""
        counts = self._account.counts if self._account else Counts()
        return Report(
            written=self._writer.written,
            received=counts.received,
            settled=counts.settled,
            stale=(counts.outcomes or {}).get("stale", 0),
            rows_expected=comparison.expected,
            rows_matching=comparison.matching,
            rows_differing=len(comparison.differences),
            tombstones=comparison.tombstones,
            arrival_to_settled_p50_seconds=_rounded(counts.settled_p50),
            arrival_to_settled_p99_seconds=_rounded(counts.settled_p99),
            first_settled_seconds=_rounded(self._first_settled),
            rate_asked=self._plan.rate,
            rate_reached=round(self._writer.rate_reached, 1),
            settled_in_time=self._settled_in_time,
            drain_seconds=_rounded(drain_seconds),
            dead_letters=counts.dead_letters,
            daemon_restarts=counts.daemon_restarts,
            shards=self._plan.shards,
        )

    async def _write(self, interrupted: asyncio.Event) -> None:
        writing = asyncio.create_task(self._writer.run(self._plan.rate))
        await self._watch("writing orders", writing.done, self._plan.duration, interrupted)
        self._writer.stop()
        await writing

    async def _watch(
        self,
        doing: str,
        enough: Callable[[], bool],
        seconds: float | None,
        interrupted: asyncio.Event | None = None,
    ) -> bool:
        """Look and show until it is enough, the time is over or someone interrupts; whether it was enough."""
        ends = time.monotonic() + (seconds if seconds is not None else float("inf"))
        while not enough():
            if time.monotonic() >= ends or (interrupted is not None and interrupted.is_set()):
                return False
            await self._look()
            self._screen.show(self._scene(doing))
            await asyncio.sleep(min(_TICK_SECONDS, max(0.0, ends - time.monotonic())))
        return True

    async def _look(self) -> None:
        self._service.check()
        self._account = await self._service.account() or self._account
        if self._first_settled is None and self._account and self._account.counts.settled:
            self._first_settled = time.monotonic() - self._began

    def _scene(self, doing: str) -> Scene:
        return Scene(
            seconds=time.monotonic() - self._began,
            doing=doing,
            account=self._account,
            written=self._writer.written,
            rate=self._writer.rate_now(),
            orders=self._writer.book.size,
            rows=self._rows,
        )

    def _saw_first(self) -> bool:
        return self._first_settled is not None

    def _see_that_it_started(self) -> None:
        if self._first_settled is None:
            raise self._service.failure(f"The service settled nothing within {START_SECONDS:.0f} s.")

    def _saw_all(self) -> bool:
        account = self._account
        return (
            account is not None
            and account.counts.settled >= self._writer.written
            and account.counts.in_flight == 0
            and account.status.lag_seconds == 0
        )

    async def _count_rows(self) -> None:
        while True:
            began = time.monotonic()
            with suppress(Unavailable):  # the count is for show: the comparison is what counts
                self._rows = await count_rows(self._stage.dynamodb)
            await asyncio.sleep(max(1.0, (time.monotonic() - began) / _COUNTING_SHARE))


@contextmanager
def _until_interrupted() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets; outside of it they end the process as ever, children included."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _see_that_it_can_be_written(report: Path | None) -> None:
    if report is not None:
        try:
            report.open("a").close()
        except OSError as error:
            raise SettingsError(f"--report {report}: can't be written: {error.strerror}") from error


def _tell(console: Console, report: Report, comparison: Comparison, plan: Plan) -> None:
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    for name, value in report.as_json().items():
        say(f"{name:32} {'-' if value is None else value}")
    if 0 < report.rate_reached < _NEARLY * report.rate_asked:
        say("This machine did not reach the rate that was asked for.")
    if not report.settled_in_time:
        say(f"Not all was settled within {SETTLE_SECONDS:.0f} s after the last write.")
    if report.drain_seconds is None:
        say(f"The service did not end well within {DRAIN_SECONDS:.0f} s of SIGTERM.")
    for difference in comparison.differences[:_DIFFERENCES_SHOWN]:
        say(difference)
    if comparison.differences:
        say(f"Rows that differ: {len(comparison.differences)}")
    else:
        say(f"All {comparison.expected} orders are in the read model, each as it is in the table.")
    if plan.report is not None:
        say(f"The figures are in {plan.report}.")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
