"""Keeps the KCL daemon running, and drains it at the end.

    starting -> running -> (it dies) -> restarting -> running ... -> (stop) -> draining -> stopped

The daemon is a session of its own, so that a terminal's Ctrl-C reaches us alone, and a process group together
with its shard processes, so that we see when the last of them is gone.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from consumer.log import Logger
from consumer.pod import launch
from consumer.pod.group import is_gone
from consumer.status import forget_dead, read_statuses

DaemonState = Literal["starting", "running", "restarting", "draining", "stopped"]

BURIAL_SECONDS = 10.0
"""Shard processes end at their stdin's end within about a second; one that has not by now hangs."""

DRAIN_MARGIN_SECONDS = 5.0
"""The daemon ends itself when its grace is over; this much later it won't."""

QUIET_SECONDS = 1.0
"""A drain is over once no shard process has been there for this long: every shard is checkpointed.

Measured on KCL 3.1.3: it then only waits for failoverTimeMillis to pass. Within a minute of a shard's end it
even starts shard processes anew, to cut them off when its grace is over.
"""

LAST_WORDS_SECONDS = 3.0
"""How long a daemon that ends because a shard process died gets for its other shards to checkpoint."""

_STABLE_SECONDS = 60.0
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How the daemon is started: its command line and its whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The daemon as /status shows it."""

    state: DaemonState
    pid: int | None = None
    restarts: int = 0
    last_exit: str | None = None


async def _nothing() -> None:
    """What there is to do before a start that needs nothing."""


class Supervisor:
    """One daemon at a time, from the first start to the drain. Must run in the main thread (launch.py).

    Args:
        run_directory: where the shard processes report.
        grace_seconds: what the daemon was told for its drain.
        log: the pod's.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run_directory: Path,
        *,
        grace_seconds: float,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_directory = run_directory
        self._grace_seconds = grace_seconds
        self._log = log
        self._clock = clock
        self._stopping = asyncio.Event()
        self._is_renewing = False
        self._state: DaemonState = "starting"
        self._pid: int | None = None
        self._restarts = 0
        self._last_exit: str | None = None

    @property
    def status(self) -> DaemonStatus:
        """The daemon now."""
        return DaemonStatus(self._state, self._pid, self._restarts, self._last_exit)

    def stop(self) -> None:
        """Drain the daemon and end; also before it was ever started."""
        self._is_renewing = False
        self._stopping.set()

    def renew(self) -> None:
        """Drain the daemon, for another to be run after it; not where stop was called."""
        if not self._stopping.is_set():
            self._is_renewing = True
            self._stopping.set()

    def is_to_go_on(self) -> bool:
        """Whether the drain that ended was for another daemon to be run; to be asked once after each."""
        if not self._is_renewing:
            return False
        self._is_renewing = False
        self._stopping.clear()
        self._state = "starting"
        return True

    async def stopped(self) -> None:
        """Wait until stop is called."""
        await self._stopping.wait()

    async def run(
        self, daemon_launch: Launch, before_start: Callable[[], Awaitable[None]] = _nothing
    ) -> bool:
        """Keep a daemon running until stop is called.

        Args:
            daemon_launch: how each daemon is started.
            before_start: done before each start, when no earlier daemon of this pod lives any more.

        Returns:
            Whether the drain was clean: every shard process had its time to checkpoint.
        """
        delays = RestartDelays()
        try:
            while not self._stopping.is_set():
                await before_start()
                daemon = await self._start(daemon_launch)
                began = self._clock()
                if not await self._watch(daemon):
                    return await self._drain(daemon)
                await self._bury(daemon)
                await self._pause(delays.after(self._clock() - began))
            return True
        finally:
            self._state, self._pid = "stopped", None

    async def _start(self, daemon_launch: Launch) -> asyncio.subprocess.Process:
        daemon = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
            *daemon_launch.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=2,  # a thread dump or a usage text belongs to the log
            env=daemon_launch.environment,
            start_new_session=True,
        )
        self._state, self._pid = "running", daemon.pid
        self._log.info("daemon started", daemon=daemon.pid)
        return daemon

    async def _watch(self, daemon: asyncio.subprocess.Process) -> bool:
        """Wait until the daemon has died (True) or stop is called (False)."""
        ended, stopping = asyncio.create_task(daemon.wait()), asyncio.create_task(self._stopping.wait())
        doomed_since: float | None = None
        try:
            while not (ended.done() or stopping.done()):
                await asyncio.wait(
                    (ended, stopping), timeout=_WATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                dead = forget_dead(self._run_directory)
                if dead and doomed_since is None and not ended.done():
                    doomed_since = self._clock()
                    self._log.error("a shard process died, for which KCL ends the daemon", shards=dead)
                    self._ask_to_drain(daemon.pid, set())
                # KCL then waits in vain for its whole grace, though the other shards let go in a second.
                if doomed_since is not None and self._clock() - doomed_since >= LAST_WORDS_SECONDS:
                    with suppress(ProcessLookupError):
                        daemon.kill()
            return not stopping.done()
        finally:
            for task in (ended, stopping):
                task.cancel()

    async def _bury(self, daemon: asyncio.subprocess.Process) -> None:
        """A daemon died: its shard processes must be gone before the next one starts theirs."""
        self._state, self._pid = "restarting", None
        self._restarts += 1
        self._last_exit = _exit_text(daemon.returncode)
        self._log.error(
            "the daemon died; it is started again under the same name",
            daemon=daemon.pid,
            exit=self._last_exit,
            restarts=self._restarts,
        )
        await self._group_gone(daemon.pid)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _drain(self, daemon: asyncio.subprocess.Process) -> bool:
        """Shard processes first let go of what they hold; then the daemon, and it alone, is asked to end."""
        self._state = "draining"
        self._log.info("draining", daemon=daemon.pid, grace_seconds=self._grace_seconds)
        began = self._clock()
        asked = self._ask_to_drain(daemon.pid, set())
        with suppress(ProcessLookupError):
            daemon.terminate()
        ended = asyncio.create_task(daemon.wait())
        busy_at = began
        while not ended.done() and self._clock() - began < self._grace_seconds + DRAIN_MARGIN_SECONDS:
            await asyncio.wait((ended,), timeout=_LOOK_SECONDS)
            # One may have started since, and would hold its answer, and with it the daemon.
            asked = self._ask_to_drain(daemon.pid, asked)
            if read_statuses(self._run_directory):
                busy_at = self._clock()
            elif self._clock() - busy_at >= QUIET_SECONDS:
                break
        took = self._clock() - began
        is_clean = took < self._grace_seconds
        if not ended.done():
            if not is_clean:
                self._log.error("the daemon did not end within its grace and is killed", daemon=daemon.pid)
            daemon.kill()
        await ended
        await self._group_gone(daemon.pid)
        if is_clean:
            self._log.info("drained", seconds=round(took, 1))
        else:
            self._log.warning(
                "not drained in time: what was not checkpointed will be delivered again",
                seconds=round(took, 1),
            )
        return is_clean

    def _ask_to_drain(self, group: int, asked: set[int]) -> set[int]:
        """SIGUSR1 to each shard process not asked yet; `group`: theirs, lest a pid is another's by now."""
        alive = {status.pid for status in read_statuses(self._run_directory)}
        for pid in alive - asked:
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == group:
                    os.kill(pid, signal.SIGUSR1)
        return asked | alive

    async def _group_gone(self, group: int) -> None:
        """Wait until every process of a dead daemon's group has ended; one that hangs is killed."""
        if await self._group_ends(group, BURIAL_SECONDS):
            return
        self._log.error("shard processes outlived their daemon and are killed", daemon=group)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        # Bounded, for what no signal ends: a process that hangs in the kernel.
        await self._group_ends(group, BURIAL_SECONDS)

    async def _group_ends(self, group: int, seconds: float) -> bool:
        deadline = self._clock() + seconds
        while not is_gone(group):
            if self._clock() >= deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True


class RestartDelays:
    """How long to wait before the next start: not at all, or longer each time while daemons die young."""

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, lived_seconds: float) -> float:
        """The wait, in seconds, after a daemon that lived that long."""
        if lived_seconds >= _STABLE_SECONDS:
            self._next = 0.0
        delay = self._next
        self._next = min(max(2 * delay, _FIRST_DELAY_SECONDS), _LONGEST_DELAY_SECONDS)
        return delay


def _exit_text(returncode: int | None) -> str:
    if returncode is None or returncode >= 0:
        return f"exit code {returncode}"
    return f"killed by {signal.Signals(-returncode).name}"
