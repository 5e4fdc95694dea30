"""docs/run.md's walk-through and docs/operate.md's replay, pasted into shells block by block."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from consumer.commands.demo.service import service_environment
from tests.end_to_end.harness import PATIENCE_SECONDS
from tests.support.pages import ROOT, Block, blocks
from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.server import free_port
from tests.support.waiting import eventually

SHELL = shutil.which("sh") or "sh"
SETUP = {"make setup", ". .venv/bin/activate"}
"""What whoever runs this test has done."""


class Shell:
    """Runs blocks as pasted into terminals: with the ports of this test, and what was exported before."""

    def __init__(self, ports: Mapping[str, str], directory: Path) -> None:
        self._ports = ports
        self._exported = ""
        self._environment = {
            **service_environment({}),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(directory),
        }

    def paste(self, block: Block) -> str:
        """Run a block to its end and return what it printed; one that exports does so for all after it."""
        text = self._translated(block)
        if "export " in text:
            self._exported += text
            return ""
        done = subprocess.run(
            [SHELL, "-euc", self._exported + text],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{block.place}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def hold(self, block: Block, ready: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a block that serves, until Ctrl-C; the block begins once an address answers."""
        with subprocess.Popen(
            [SHELL, "-euc", f"{self._exported}exec {self._translated(block)}"],
            cwd=ROOT,
            env=self._environment,
            start_new_session=True,
        ) as process:
            try:
                assert eventually(lambda: answers(ready), within_seconds=PATIENCE_SECONDS), block.place
                yield process
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(PATIENCE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _translated(self, block: Block) -> str:
        text = "".join(line for line in block.text.splitlines(keepends=True) if line.strip() not in SETUP)
        for documented, actual in self._ports.items():
            text = text.replace(documented, actual)
        return text


def answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as answer:  # noqa: S310 - this test's own processes
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture
def walk_through() -> list[Block]:
    found = blocks(ROOT / "docs" / "run.md", under="By hand, on the sandbox")
    assert [block.language for block in found] == [*["sh"] * 8, "text", "sh"]
    return found


@pytest.fixture
def other_stores() -> list[Block]:
    found = blocks(ROOT / "docs" / "run.md", under="Into PostgreSQL and OpenSearch")
    assert [block.language for block in found] == [*["sh"] * 5, "text"]
    return found


def test_the_walk_through_does_what_the_pages_say(
    walk_through: list[Block],
    other_stores: list[Block],
    tmp_path: Path,
    database: str,
    opensearch_server: OpenSearchServer,
) -> None:
    setup, sandbox, exports, stage, validate, run, write, look, shown, take_away = walk_through
    (replay,) = blocks(ROOT / "docs" / "operate.md", "sh", under="Replaying")
    aws, ops = (str(free_port(first, first + 5_000)) for first in (20_000, 26_000))
    ports = {
        "tidemark sandbox": f"tidemark sandbox --port {aws}",
        "4566": aws,
        "8080": ops,
        "8081": ops,
        "postgresql://postgres@127.0.0.1:5432/postgres": database,
        "http://127.0.0.1:9200": opensearch_server.url,
    }
    shell = Shell(ports, tmp_path)
    ready = f"http://127.0.0.1:{ops}/readyz"

    def keeps_other_stores() -> None:
        _, where, validate, run, look, shown = other_stores
        shell.paste(where)
        assert "PostgreSQL table order_rows, 4 columns" in shell.paste(validate)
        with shell.hold(run, ready):
            assert eventually(lambda: shell.paste(look) == shown.text, within_seconds=PATIENCE_SECONDS)

    def sees(*rows: str) -> bool:
        return eventually(
            lambda: sorted(shell.paste(look).splitlines()) == sorted(rows), within_seconds=PATIENCE_SECONDS
        )

    assert shell.paste(setup) == ""
    with shell.hold(sandbox, f"http://127.0.0.1:{aws}/_sandbox/faults"):
        shell.paste(exports)
        shell.paste(stage)
        assert "AWS: good" in shell.paste(validate)
        assert "warning" not in shell.paste(validate)
        with shell.hold(run, ready) as service:
            shell.paste(write)
            assert sees(*shown.text.splitlines())
            shell.paste(take_away)
            assert sees(*shown.text.splitlines(), "A-3 eve 7 PLACED")
        assert service.returncode == 0
        keeps_other_stores()

        shell.paste(lose_every_row(look))
        assert sees()
        shell.paste(replay)
        with shell.hold(run, ready):
            assert sees(*shown.text.splitlines(), "A-3 eve 7 PLACED")


def lose_every_row(look: Block) -> Block:
    """The reader's script, made to delete what it finds."""
    text = look.text.replace(
        'print(row["orderId"], row["customer"], row["total"], row["status"])',
        'view.delete_item(Key={"orderId": row["orderId"]})',
    )
    assert text != look.text
    return Block(look.page, look.line, look.language, text)
