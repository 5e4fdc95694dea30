"""What a person watches: a table that moves in a terminal, a line now and then anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from consumer.commands.demo.service import Account

_LINE_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Playbill:
    """What stays as it is while the demo runs."""

    url: str
    settings: Path
    log: Path
    rate: float


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment. Seconds since the service was started; `rows` is None until they were counted once."""

    seconds: float
    doing: str
    account: Account | None
    written: int
    rate: float
    orders: int
    rows: int | None


class Screen(Protocol):
    """Shows scenes."""

    def show(self, scene: Scene) -> None:
        """Show what is now."""
        ...


@contextmanager
def open_screen(console: Console, playbill: Playbill) -> Iterator[Screen]:
    """A live table where the console is a terminal, else plain lines."""
    if not console.is_terminal:
        yield _Lines(console, playbill)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield _Table(live, playbill)


class _Table:
    def __init__(self, live: Live, playbill: Playbill) -> None:
        self._live = live
        self._playbill = playbill

    def show(self, scene: Scene) -> None:
        self._live.update(picture(scene, self._playbill), refresh=True)


class _Lines:
    def __init__(self, console: Console, playbill: Playbill) -> None:
        self._console = console
        self._next = 0.0
        self._doing = ""
        for line in (f"/status   {playbill.url}/status", f"/metrics  {playbill.url}/metrics"):
            self._print(line)
        self._print(f"settings  {playbill.settings}")
        self._print(f"log       {playbill.log}")

    def show(self, scene: Scene) -> None:
        if scene.doing == self._doing and time.monotonic() < self._next:
            return
        self._doing = scene.doing
        self._next = time.monotonic() + _LINE_EVERY_SECONDS
        self._print(line_of(scene))

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def line_of(scene: Scene) -> str:
    """A scene as one line of text."""
    account = scene.account or Account()
    counts = account.counts
    parts = (
        f"{scene.seconds:4.0f} s  {scene.doing}",
        f"written {scene.written} ({scene.rate:.0f}/s)",
        f"received {counts.received}",
        f"settled {counts.settled}",
        f"in flight {counts.in_flight}",
        f"lag {_seconds(account.status.lag_seconds)}",
        f"rows {scene.orders} in the table, {'-' if scene.rows is None else scene.rows} in the read model",
        f"daemon {account.status.daemon.state}",
    )
    return ", ".join(parts)


def picture(scene: Scene, playbill: Playbill) -> RenderableType:
    """A scene as a rich renderable."""
    account = scene.account or Account()
    title = f"[bold]Tidemark demo[/]  {scene.seconds:.0f} s  {scene.doing}"
    return Panel(
        Group(_shards(account), "", _totals(scene, account, playbill)),
        title=title,
        subtitle="Ctrl-C stops, compares and says how it went",
        padding=(1, 2),
    )


def _shards(account: Account) -> Table:
    table = Table(expand=True, box=None, header_style="bold cyan")
    table.add_column("shard")
    table.add_column("state")
    for name in ("lag", "received", "in flight", "last checkpoint"):
        table.add_column(name, justify="right")
    now = time.time()
    for shard in account.status.shards:
        checkpointed = None if shard.checkpointed_at is None else now - shard.checkpointed_at
        table.add_row(
            shard.shard_id,
            shard.state if shard.message is None else f"[yellow]{shard.state}[/]",
            _seconds(shard.lag_seconds),
            f"{shard.records_received:,}",
            f"{shard.records_in_flight:,}",
            "-" if checkpointed is None else f"{checkpointed:.0f} s ago",
        )
    if not account.status.shards:
        table.add_row("[dim]none yet: the service is starting[/]")
    return table


def _totals(scene: Scene, account: Account, playbill: Playbill) -> Table:
    counts = account.counts
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted((counts.outcomes or {}).items()))
    daemon = account.status.daemon
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="bold cyan")
    grid.add_column(overflow="fold")
    grid.add_row("written", f"{scene.written:,}, now {scene.rate:.0f} of {playbill.rate:g} a second")
    grid.add_row("received", f"{counts.received:,}, {counts.in_flight:,} in flight")
    grid.add_row("settled", f"{counts.settled:,}" + (f": {outcomes}" if outcomes else ""))
    grid.add_row("rows", f"{scene.orders:,} in the table, {_count(scene.rows)} in the read model")
    if counts.settled_p50 is not None and counts.settled_p99 is not None:
        shown = f"half within {_seconds(counts.settled_p50)}, 99 % within {_seconds(counts.settled_p99)}"
        grid.add_row("arrival to settled", shown)
    grid.add_row("KCL daemon", f"{daemon.state}, {daemon.restarts} restarts")
    grid.add_row("addresses", f"{playbill.url}/status  {playbill.url}/metrics")
    grid.add_row("settings", str(playbill.settings))
    grid.add_row("log", str(playbill.log))
    return grid


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
