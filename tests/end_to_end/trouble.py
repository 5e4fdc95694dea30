"""What may befall the stores of read models, and how it is seen that it cost nothing but time."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.end_to_end.harness import Service
from tests.end_to_end.read_models import ReadModel
from tests.end_to_end.stage import Stage

_LOOK_SECONDS = 0.5
_HOLD_SECONDS = 0.02
_NO_VICTIM = "60s"
"""Whoever waits so long for a lock looks for a dead-lock: the others have found it by then, at their cost."""


@dataclass(frozen=True, slots=True)
class Letters:
    """A directory for dead letters."""

    directory: Path

    @property
    def delivery(self) -> Mapping[str, object]:
        """Settings by which a record that is rejected once goes there."""
        place = {"path": str(self.directory / "dead.jsonl"), "durable": True}
        return {"on_failure": {"file": place}, "maximum_retry_attempts": 0}

    def found(self) -> list[str]:
        """The letters."""
        return [line for file in self.directory.glob("*") for line in file.read_text("utf-8").splitlines()]


def letters_of(stage: Stage) -> Letters:
    """A directory of the stage's own; the service makes it."""
    return Letters(stage.directory / "letters")


def assert_nothing_was_given_up(service: Service, letters: Letters) -> None:
    """Neither a dead letter, nor a record that was settled as failed, nor a shard that was parked."""
    metrics = service.metrics()
    assert letters.found() == []
    assert metrics.total("tidemark_dead_letters_total") == 0
    assert metrics.total("tidemark_records_settled_total", outcome="failed") == 0
    assert [shard.state for shard in service.shards() if shard.state == "parked"] == []


def wait_until_each_goes_on(service: Service, models: Sequence[ReadModel], records: int = 20) -> None:
    """Until each read model has taken so many more records than now."""
    goals = {model.name: settled(service, model.name) + records for model in models}
    service.wait_until(
        lambda: all(settled(service, name) >= goal for name, goal in goals.items()),
        f"each of {', '.join(goals)} has settled {records} more",
    )


def settled(service: Service, processor: str) -> float:
    """Records that a processor has settled in the pod's life."""
    return service.metrics().total("tidemark_records_settled_total", processor=processor)


def is_waited_for(service: Service, processor: str) -> bool:
    """Whether /status says that a processor waits for its store."""
    status = service.status()
    return status is not None and any(says_of(processor, said) for said in status.problems)


def says_of(processor: str, said: str) -> bool:
    """Whether problems say that a processor waits for its store, by itself or beside others."""
    return re.search(rf"(?<![\w-]){processor}(?![\w-])[^;\n]* ha(s|ve) waited ", said) is not None


def watched(service: Service, seconds: float) -> str:
    """The problems that /status had to tell of in so many seconds; /healthz has to be well all along."""
    said: set[str] = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert service.get("/healthz").code == 200
        status = service.status()
        said |= set(status.problems if status is not None else ())
        time.sleep(_LOOK_SECONDS)
    return "\n".join(sorted(said))


@contextmanager
def in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Work in a thread until the end of the block, when its event is set; its failure is raised then."""
    over = threading.Event()
    failures: list[Exception] = []

    def guarded() -> None:
        try:
            work(over)
        except Exception as error:  # noqa: BLE001 - raised in the test's own thread
            failures.append(error)

    thread = threading.Thread(target=guarded, name="trouble")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def rows_locked_backwards(database: str, table: str, *keys: str) -> Iterator[None]:
    """Somebody locks a table's rows one after the other, from the last to the first, again and again."""
    names = sql.SQL(", ").join(map(sql.Identifier, keys))
    places = sql.SQL(", ").join(sql.Placeholder() for _ in keys)
    rows = sql.SQL("SELECT {} FROM {} ORDER BY ({}) DESC").format(names, sql.Identifier(table), names)
    lock = sql.SQL("SELECT FROM {} WHERE ({}) = ({}) FOR UPDATE").format(sql.Identifier(table), names, places)

    def work(over: threading.Event) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(sql.SQL("SET deadlock_timeout = {}").format(_NO_VICTIM))
            while not over.is_set():
                with connection.transaction():
                    for row in connection.execute(rows).fetchall():
                        connection.execute(lock, row)
                        if over.wait(_HOLD_SECONDS):
                            break

    with in_background(work):
        yield


@contextmanager
def table_locked(database: str, table: str) -> Iterator[None]:
    """Somebody holds the table for the time of the block, as a change of its columns does."""
    lock = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table))
    with psycopg.connect(database) as connection:
        connection.execute(lock)
        yield


def deadlocks(database: str) -> int:
    """How many the server has ended in this database."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])
