"""The servers that a person tries things on."""

import shlex
import signal
import subprocess
import sys
from urllib.request import urlopen

import psycopg
import pytest

_LONGEST_END_SECONDS = 30


def test_it_says_where_its_servers_are_and_ends_them_at_ctrl_c() -> None:
    command = [sys.executable, "-m", "tests.support.servers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        export, *words = shlex.split(process.stdout.readline())
        where = dict(word.split("=", 1) for word in words)
        assert export == "export"
        with psycopg.connect(where["SHOP_DATABASE"]) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)
        if "SHOP_SEARCH" in where:  # not where there is no Maven
            with urlopen(where["SHOP_SEARCH"], timeout=5) as answer:  # noqa: S310 - our own server
                assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(_LONGEST_END_SECONDS) == 0
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(where["SHOP_DATABASE"], connect_timeout=5)
