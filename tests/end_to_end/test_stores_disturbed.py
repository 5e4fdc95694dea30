"""Stores that die, hang, refuse or get in the way, and processes of ours that are killed meanwhile."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest

from sandbox.faults.fault import Fault, RequestKind
from tests.end_to_end.harness import Service, sigkill
from tests.end_to_end.orders import Orders
from tests.end_to_end.read_models import (
    ReadModel,
    assert_all_equal_the_source,
    in_dynamodb,
    in_opensearch,
    in_postgresql,
    processors,
)
from tests.end_to_end.stage import Stage
from tests.end_to_end.trouble import (
    assert_nothing_was_given_up,
    deadlocks,
    is_waited_for,
    letters_of,
    rows_locked_backwards,
    table_locked,
    wait_until_each_goes_on,
    watched,
)
from tests.end_to_end.truth import wait_until_checkpointed
from tests.integration.streams import FIRST_SHARD
from tests.support.loop_thread import LoopThread
from tests.support.servers.busy import BusyProxy
from tests.support.servers.link import Link
from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.postgresql import PostgreSQLServer

RATE = 25
FROZEN_SECONDS = 20.0
LOCKED_SECONDS = 3.0
"""Beside the ten that a kill takes to get over."""
DEADLOCKS = 3
TROUBLES: tuple[tuple[RequestKind, str], ...] = (
    ("conflict", "TransactWriteItems"),
    ("lose_answer", "TransactWriteItems"),
    ("fail", "BatchGetItem"),
)


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def link(loop: LoopThread, postgresql: PostgreSQLServer) -> Link:
    return loop.enter(Link(postgresql.port))


@pytest.fixture
def proxy(loop: LoopThread, opensearch: OpenSearchServer) -> BusyProxy:
    return loop.enter(BusyProxy(opensearch.url))


@pytest.fixture
def models(
    stage: Stage,
    database: str,
    link: Link,
    opensearch: OpenSearchServer,
    proxy: BusyProxy,
    index_prefix: str,
) -> list[ReadModel]:
    """In all stores; those that are servers of their own are reached by what can disturb the way."""
    through_link = urlsplit(database)._replace(netloc=f"postgres@127.0.0.1:{link.port}").geturl()
    return [
        *in_dynamodb(stage),
        *in_postgresql(through_link, database),
        *in_opensearch(f"http://127.0.0.1:{proxy.port}", opensearch.url, index_prefix),
    ]


@contextmanager
def transactions_disturbed(stage: Stage) -> Iterator[None]:
    """Some conflict with others', of some the answer is lost, and some reads of the ledgers fail."""
    tables = [f"{stage.view_named(view)}*" for view in ("lines", "sales")]
    troubles = [
        Fault(kind, "dynamodb", operation, table, rate=0.3)
        for table in tables
        for kind, operation in TROUBLES
    ]
    with stage.sandbox.faults.applied(*troubles) as ids:
        yield
        struck = [stage.sandbox.faults.strikes(fault) for fault in ids]
    assert all(struck), struck


@pytest.mark.timeout(600)
def test_stores_that_hang_refuse_die_or_are_in_the_way_cost_nothing_but_time(
    stage: Stage,
    models: list[ReadModel],
    postgresql: PostgreSQLServer,
    database: str,
    opensearch: OpenSearchServer,
    loop: LoopThread,
    link: Link,
    proxy: BusyProxy,
) -> None:
    orders, letters = Orders(stage), letters_of(stage)
    settings = stage.write_settings(*processors(models), delivery=letters.delivery)
    with ExitStack() as until_checked:
        service = until_checked.enter_context(Service(stage, settings))
        service.wait_until_at_work()
        with orders.writing(RATE):
            wait_until_each_goes_on(service, models)

            proxy.refuses = "requests"
            loop.call(link.freeze)
            with transactions_disturbed(stage):
                watched(service, FROZEN_SECONDS / 2)
                proxy.refuses = "documents"
                watched(service, FROZEN_SECONDS / 2)
            service.wait_until(partial(is_waited_for, service, "lines-sql"), "/status names what is frozen")
            assert service.stop() == 0, "0 says that all shards let go in time, frozen or not"
            loop.call(link.resume)
            proxy.refuses = "nothing"
            assert proxy.refused > 0
            assert letters.found() == []

            service = until_checked.enter_context(Service(stage, settings))
            service.wait_until_at_work()
            postgresql.kill()
            opensearch.kill()
            postgresql.start()
            opensearch.start()
            wait_until_each_goes_on(service, models)

            with table_locked(database, "order_lines"):
                kill_and_wait(service, service.pids.shards[FIRST_SHARD])
                watched(service, LOCKED_SECONDS)
            wait_until_each_goes_on(service, models)

            before = deadlocks(database)
            with rows_locked_backwards(database, "order_lines", "code", "sku"):
                service.wait_until(
                    lambda: deadlocks(database) >= before + DEADLOCKS, f"there were {DEADLOCKS} dead-locks"
                )
                kill_and_wait(service, service.pids.daemon)
        wait_until_checkpointed(stage, records=orders.written)
        assert_nothing_was_given_up(service, letters)
        assert service.metrics().total("tidemark_daemon_restarts_total") == 2
        assert service.stop() == 0
    assert_all_equal_the_source(stage, models)


def kill_and_wait(service: Service, pid: int | None) -> None:
    """SIGKILL a process of a pod, and wait until the pod is at work with others."""
    assert pid is not None
    restarts = service.restarts()
    sigkill(pid)
    service.wait_until(lambda: service.restarts() == restarts + 1, "the daemon is started again")
    service.wait_until_at_work()
