import socket
import subprocess
import sys

import psutil
import pytest

from sandbox.errors import SandboxStartError
from sandbox.process import SandboxProcess


def test_it_listens_on_one_loopback_port_and_nowhere_else(sandbox: SandboxProcess) -> None:
    listening = [
        connection.laddr
        for connection in psutil.Process(sandbox.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert [f"http://{address.ip}:{address.port}" for address in listening] == [sandbox.endpoint]
    assert sandbox.endpoint.startswith("http://127.0.0.1:")


def test_a_sandbox_that_cannot_start_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxStartError, match=rf"can't serve on 127\.0\.0\.1:{port}.*in use"):
            SandboxProcess(port=port).__enter__()


def test_it_ends_when_its_parent_is_killed() -> None:
    program = (
        "import time; from sandbox.process import SandboxProcess\n"
        "with SandboxProcess() as sandbox: print(sandbox.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, alive = psutil.wait_procs([child], timeout=30)
    assert alive == []


def test_its_child_process_ends_with_the_context() -> None:
    with SandboxProcess() as sandbox:
        child = psutil.Process(sandbox.pid)
    assert not child.is_running()
