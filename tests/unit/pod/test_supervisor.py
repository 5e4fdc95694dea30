"""The supervisor over real processes that stand in for the JVM; the real one is in tests/end_to_end."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from consumer.log import open_log
from consumer.pod import supervisor as module
from consumer.pod.supervisor import Launch, RestartDelays, Supervisor
from consumer.status import read_statuses, status_directory
from tests.support.waiting import eventually

SHARD_PROCESS = """
import os, signal, sys, time
from pathlib import Path
from consumer.status import ShardStatus, remove_status, write_status

run, account = Path(sys.argv[1]), Path(sys.argv[2])

def drain(*_):
    with account.open("a") as file:
        file.write("shard asked to drain\\n")
    remove_status(run, "shard-0", os.getpid())
    sys.exit(0)

signal.signal(signal.SIGUSR1, drain)
write_status(run, ShardStatus("shard-0", os.getpid(), "running", 0, 0, 0, 0, 0, None, None, None, None))
while True:
    time.sleep(60)
"""

DAEMON = """
import os, signal, subprocess, sys, time
from pathlib import Path

run, account, shard_process, behaviour = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

def say(line):
    with account.open("a") as file:
        file.write(line + "\\n")

def end(*_):
    if behaviour != "deaf":
        say("daemon asked to end")
        sys.exit(143)

signal.signal(signal.SIGTERM, end)
starts = account.read_text().count("daemon started") if account.exists() else 0
say("daemon started")
shards = []
if behaviour != "alone":
    shards.append(subprocess.Popen([sys.executable, "-c", shard_process, str(run), str(account)]))
    while not list((run / "shards").glob("*.json")):
        time.sleep(0.02)
say("daemon ready")
if behaviour == "dies once" and starts == 0:
    os._exit(7)
if behaviour == "loses a shard" and starts == 0:
    shards[0].kill()
    shards[0].wait()
while True:
    time.sleep(60)
"""


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    status_directory(tmp_path).mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BURIAL_SECONDS", "QUIET_SECONDS", "LAST_WORDS_SECONDS", "DRAIN_MARGIN_SECONDS"):
        monkeypatch.setattr(module, name, 0.3)


def is_alive(pid: int) -> bool:
    """Whether it runs; a dead one may wait to be waited for by whoever inherited it."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class Play:
    """A supervisor with a daemon that behaves in one way, and the account of what happened."""

    def __init__(self, run_directory: Path, behaviour: str, grace_seconds: float = 20.0) -> None:
        self.account_file = run_directory / "account"
        self.supervisor = Supervisor(run_directory, grace_seconds=grace_seconds, log=open_log(io.BytesIO()))
        script = (
            sys.executable,
            "-c",
            DAEMON,
            str(run_directory),
            str(self.account_file),
            SHARD_PROCESS,
            behaviour,
        )
        self.launch = Launch(script, os.environ)

    def account(self) -> list[str]:
        return self.account_file.read_text().splitlines() if self.account_file.exists() else []

    async def until(self, look: Callable[[], object]) -> None:
        await asyncio.to_thread(eventually, look)
        assert look(), self.account()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[bool]"]:
        task = asyncio.create_task(self.supervisor.run(self.launch))
        try:
            yield task
        finally:
            self.supervisor.stop()
            await task


async def test_a_daemon_that_died_is_started_again_and_its_end_is_told(run_directory: Path) -> None:
    play = Play(run_directory, "dies once")
    async with play.running():
        await play.until(lambda: play.account().count("daemon ready") == 2)

        status = play.supervisor.status
        assert (status.state, status.restarts, status.last_exit) == ("running", 1, "exit code 7")


async def test_what_comes_before_a_start_is_done_anew_once_the_dead_daemon_is_gone(
    run_directory: Path,
) -> None:
    play = Play(run_directory, "dies once")
    accounts: list[list[str]] = []

    async def look() -> None:
        accounts.append(play.account())

    task = asyncio.create_task(play.supervisor.run(play.launch, look))
    await play.until(lambda: play.account().count("daemon ready") == 2)
    play.supervisor.stop()
    await task

    assert accounts == [[], ["daemon started", "daemon ready"]]


async def test_shard_processes_that_outlive_their_daemon_are_gone_before_the_next_starts(
    run_directory: Path,
) -> None:
    play = Play(run_directory, "dies once")
    async with play.running():
        await play.until(lambda: "daemon ready" in play.account())
        (first,) = {
            int(path.stem.rpartition(".")[2]) for path in status_directory(run_directory).glob("*.json")
        }
        await play.until(lambda: play.account().count("daemon started") == 2)

        assert not is_alive(first)


async def test_a_daemon_whose_shard_process_died_is_not_waited_for(run_directory: Path) -> None:
    play = Play(run_directory, "loses a shard")
    async with play.running():
        await play.until(lambda: play.account().count("daemon ready") == 2)

        assert play.supervisor.status.restarts == 1
        assert play.supervisor.status.last_exit == "killed by SIGKILL"


async def test_on_a_drain_shard_processes_let_go_first_and_are_asked_once(run_directory: Path) -> None:
    play = Play(run_directory, "deaf")
    async with play.running() as task:
        await play.until(lambda: "daemon ready" in play.account())
        play.supervisor.stop()

        assert await task
        assert play.account() == ["daemon started", "daemon ready", "shard asked to drain"]
        assert play.supervisor.status.state == "stopped"
        assert read_statuses(run_directory) == []


async def test_a_daemon_is_asked_to_end(run_directory: Path) -> None:
    play = Play(run_directory, "alone")
    async with play.running() as task:
        await play.until(lambda: "daemon ready" in play.account())
        play.supervisor.stop()

        assert await task
        assert play.account()[-1] == "daemon asked to end"


async def test_a_drain_that_takes_the_whole_grace_is_not_clean(run_directory: Path) -> None:
    play = Play(run_directory, "deaf", grace_seconds=0.3)
    async with play.running() as task:
        await play.until(lambda: "daemon ready" in play.account())
        (shard,) = read_statuses(run_directory)
        os.kill(shard.pid, signal.SIGSTOP)
        play.supervisor.stop()

        assert not await task
        assert not is_alive(shard.pid)


async def test_stopped_before_it_began_it_starts_nothing(run_directory: Path) -> None:
    play = Play(run_directory, "alone")
    play.supervisor.stop()

    assert await play.supervisor.run(play.launch)
    assert play.account() == []


async def test_a_renewed_daemon_is_drained_for_another_one_to_be_run(run_directory: Path) -> None:
    play = Play(run_directory, "as it should")
    async with play.running() as task:
        await play.until(lambda: "daemon ready" in play.account())
        play.supervisor.renew()
        assert await task
        assert play.supervisor.is_to_go_on()
        assert play.supervisor.status.state == "starting"
        async with play.running():
            await play.until(lambda: play.account().count("daemon ready") == 2)
    assert not play.supervisor.is_to_go_on()


async def test_a_stop_while_the_daemon_is_renewed_is_the_end(run_directory: Path) -> None:
    play = Play(run_directory, "as it should")
    async with play.running() as task:
        await play.until(lambda: "daemon ready" in play.account())
        play.supervisor.renew()
        play.supervisor.stop()
        await task
        play.supervisor.renew()
    assert not play.supervisor.is_to_go_on()


def test_restarts_come_at_once_then_ever_later_until_a_daemon_lives_long() -> None:
    delays = RestartDelays()

    assert [delays.after(1.0) for _ in range(8)] == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert delays.after(60.0) == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_daemon_dies_with_its_supervisor() -> None:
    daemon_script = "import os, sys, time; print(os.getpid(), flush=True, file=sys.stderr); time.sleep(600)"
    supervisor = """
import asyncio, io, os, sys
from pathlib import Path
from consumer.log import open_log
from consumer.pod.supervisor import Launch, Supervisor

supervisor = Supervisor(Path("."), grace_seconds=1.0, log=open_log(io.BytesIO()))
asyncio.run(supervisor.run(Launch((sys.executable, "-c", sys.argv[1]), os.environ)))
"""
    command = [sys.executable, "-c", supervisor, daemon_script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as pod:
        assert pod.stderr is not None
        daemon = psutil.Process(int(pod.stderr.readline()))
        pod.kill()

    assert eventually(lambda: not is_alive(daemon.pid))
