import io
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from consumer.commands.demo.figures import Counts
from consumer.commands.demo.screen import Playbill, Scene, line_of, open_screen, picture
from consumer.commands.demo.service import Account, Daemon, Status
from consumer.status import ShardStatus

PLAYBILL = Playbill("http://127.0.0.1:8080", Path("/demo/tidemark.yaml"), Path("/demo/service.log"), 200)


def shard(number: int, lag: float | None) -> ShardStatus:
    now = time.time()
    return ShardStatus(
        shard_id=f"shardId-{number:012}",
        pid=1,
        state="running",
        ticked_at=now,
        started_at=now,
        records_received=1234,
        records_in_flight=5,
        bytes_in_flight=100,
        lag_seconds=lag,
        frontier=None,
        checkpoint=None,
        checkpointed_at=None,
    )


def scene() -> Scene:
    status = Status(daemon=Daemon("running", 1), shards=(shard(0, 0.25), shard(1, 2.5)))
    counts = Counts(received=2468, outcomes={"applied": 2400, "stale": 3}, in_flight=10)
    return Scene(12.3, "writing orders", Account(status, counts), 2500, 199.6, 640, 638)


def text_of(drawn: Scene) -> str:
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(picture(drawn, PLAYBILL))
    return console.export_text()


def test_the_picture_shows_shards_counts_rows_and_addresses() -> None:
    text = text_of(scene())

    for shown in (
        "shardId-000000000001",
        "2.5 s",
        "2,500, now 200 of 200 a second",
        "2,468, 10 in flight",
        "2,403: 2,400 applied, 3 stale",
        "640 in the table, 638 in the read model",
        "running, 1 restarts",
        "http://127.0.0.1:8080/status",
        "http://127.0.0.1:8080/metrics",
        "/demo/service.log",
    ):
        assert shown in text


def test_before_the_service_answers_the_picture_says_that_it_starts() -> None:
    assert "the service is starting" in text_of(replace(scene(), account=None, rows=None))


def test_a_line_holds_what_the_picture_does() -> None:
    assert line_of(scene()) == (
        "  12 s  writing orders, written 2500 (200/s), received 2468, settled 2403, in flight 10, lag 2.5 s,"
        " rows 640 in the table, 638 in the read model, daemon running"
    )


def test_the_lag_is_not_known_while_one_shard_does_not_know_it() -> None:
    assert Status(shards=(shard(0, 0.0), shard(1, None))).lag_seconds is None
    assert Status().lag_seconds is None


def test_what_is_no_terminal_gets_a_line_for_each_thing_done() -> None:
    console = Console(file=io.StringIO(), width=40)
    with open_screen(console, PLAYBILL) as screen:
        screen.show(scene())
        screen.show(scene())
        screen.show(replace(scene(), doing="settling what is left"))

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert [line for line in lines if "writing orders" in line] == [line_of(scene())]
    assert "settling what is left" in lines[-1]
