"""A start that can't have what it needs waits for it, and says so."""

import asyncio
import json
from io import BytesIO
from pathlib import Path

import pytest

from checkpoint.tables import TableNotReadyError
from consumer.commands.waiting import until_prepared
from consumer.errors import SettingsError, Unavailable
from consumer.log import open_log
from consumer.pod.ops import Pod
from consumer.pod.supervisor import Supervisor
from consumer.settings.context import ShardContext
from tests.support.context import shard_context
from tests.support.virtual_time import run_in_virtual_time

AWAY = Unavailable("processors.view: connection refused", code="08006")
AWAY_TOO = Unavailable("processors.lines: 503", code="Http503")


class Start:
    """A pod whose attempts end as they are told to."""

    def __init__(self, directory: Path, *ends: Exception | ShardContext) -> None:
        self._ends = list(ends)
        self._log = BytesIO()
        self.log = open_log(self._log)
        self.supervisor = Supervisor(directory, grace_seconds=1.0, log=self.log)
        self.pod = Pod("shop", "pod-0", "0", directory, self.supervisor, started_at=0.0)
        self.at: list[float] = []
        self.waited_for: list[str | None] = []

    async def attempt(self) -> ShardContext:
        self.at.append(asyncio.get_running_loop().time())
        self.waited_for.append(self.pod.waiting_for)
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    async def run(self) -> ShardContext | None:
        return await until_prepared(self.pod, self.attempt, self.log, lambda: 1.0)

    def logged(self) -> list[str]:
        return [json.loads(line)["error"] for line in self._log.getvalue().splitlines()]


def test_a_start_that_has_what_it_needs_is_told_nothing(tmp_path: Path) -> None:
    context = shard_context()
    start = Start(tmp_path, context)

    assert run_in_virtual_time(start.run) is context
    assert start.logged() == []


def test_a_store_that_is_away_is_asked_again_ever_more_seldom_until_it_is_there(tmp_path: Path) -> None:
    context = shard_context()
    start = Start(tmp_path, *[AWAY] * 7, context)

    assert run_in_virtual_time(start.run) is context
    assert start.at == pytest.approx([0, 1, 3, 7, 15, 31, 61, 91])
    assert start.waited_for[1:] == [
        "processors.view: connection refused; no processor runs until it is there; trying again"
    ] * len(start.at[1:])


def test_what_is_waited_for_is_logged_when_it_changes_and_not_at_each_try(tmp_path: Path) -> None:
    not_ready = TableNotReadyError("table 'shop' is still CREATING")
    start = Start(tmp_path, AWAY, AWAY, AWAY_TOO, AWAY_TOO, AWAY, not_ready, shard_context())

    run_in_virtual_time(start.run)

    assert start.logged() == [str(error) for error in (AWAY, AWAY_TOO, AWAY, not_ready)]


def test_a_pod_that_waits_can_be_stopped(tmp_path: Path) -> None:
    start = Start(tmp_path, AWAY, AWAY)

    async def stopped_while_it_waits() -> None:
        running = asyncio.create_task(start.run())
        await asyncio.sleep(0.5)
        start.supervisor.stop()
        assert await running is None
        assert asyncio.get_running_loop().time() == pytest.approx(0.5)

    run_in_virtual_time(stopped_while_it_waits)
    assert start.at == [0]


def test_a_pod_can_be_stopped_in_the_midst_of_an_attempt(tmp_path: Path) -> None:
    start = Start(tmp_path)

    async def hang() -> ShardContext:
        start.supervisor.stop()
        await asyncio.sleep(3_600)
        raise AssertionError("it was not cut off")

    async def stopped_at() -> float:
        assert await until_prepared(start.pod, hang, start.log, lambda: 1.0) is None
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(stopped_at) == 0.0


def test_what_a_person_has_to_put_right_is_not_waited_for(tmp_path: Path) -> None:
    start = Start(tmp_path, AWAY, SettingsError("processors.view: no such table"))

    with pytest.raises(SettingsError, match="no such table"):
        run_in_virtual_time(start.run)
