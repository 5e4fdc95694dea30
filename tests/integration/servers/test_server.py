import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

import psutil
import pytest

from tests.support.servers import server as module
from tests.support.servers.server import Server, ServerStartError, is_alive
from tests.support.waiting import eventually

COUNTING = """
import pathlib, time
starts = pathlib.Path("starts")
starts.write_text(starts.read_text() + "+" if starts.exists() else "+")
time.sleep(600)
"""


@dataclass
class Script(Server):
    """A server that is a Python script, ready once it has written down its start."""

    script: str = COUNTING
    stop_signal = Signals.SIGTERM

    def prepare(self) -> None:
        (self.directory / "prepared").touch()

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.script]

    def is_ready(self, pid: int) -> bool:
        return (self.directory / "starts").exists()


def starts(server: Server) -> int:
    return len((server.directory / "starts").read_text())


def test_it_is_entered_running_and_its_data_goes_when_it_is_left() -> None:
    with Script() as server:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        assert starts(server) == 1
    assert not is_alive(process)
    assert not server.directory.exists()


def test_a_start_of_a_running_server_and_a_stop_of_a_stopped_one_do_nothing() -> None:
    with Script() as server:
        server.start()
        assert starts(server) == 1
        server.stop()
        server.stop()
        server.kill()
        assert server.pid is None
        server.start()
        assert eventually(lambda: starts(server) == 2)


def test_nothing_of_it_is_left_when_its_parent_is_killed() -> None:
    program = (
        f"import time; from {__name__} import Script\n"
        "with Script() as server: print(server.pid, server.directory, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid, directory = parent.stdout.readline().split()
        process = psutil.Process(int(pid))
        parent.kill()
    assert eventually(lambda: not is_alive(process) and not Path(directory).exists())


def test_a_server_that_ends_at_its_start_says_what_it_said() -> None:
    server = Script("raise SystemExit('the port is taken')")
    with pytest.raises(ServerStartError, match=r"(?s)Script ended with code 1\. .*the port is taken"):
        server.__enter__()
    assert not server.directory.exists()


def test_a_server_that_never_serves_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 0.2)
    server = Script("import time; time.sleep(600)")
    with pytest.raises(ServerStartError, match=r"did not serve within 0 s\. It said nothing"):
        server.__enter__()
    assert not server.directory.exists()
