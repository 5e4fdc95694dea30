"""A read model built anew and cut over to while its source changes, by the real commands and daemon."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consumer.commands.demo.service import service_environment
from tests.end_to_end.harness import PATIENCE_SECONDS, Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, VIEW, Stage
from tests.end_to_end.truth import assert_read_model_equals_source, read_model, wait_until_checkpointed

RATE = 50


def rebuilding(stage: Stage, settings: Path, *options: str) -> Service:
    command = ("rebuild", "--processor", VIEW, *options)
    return Service(stage, settings, worker_id="rebuild", command=command)


def cut_over(stage: Stage, settings: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    arguments = ("cutover", "--config", str(settings), "--processor", VIEW, *options)
    return subprocess.run(
        [sys.executable, "-m", "consumer.cli", *arguments],
        env=service_environment(stage.sandbox.environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def pointed(stage: Stage) -> str:
    """The table a reader finds, as docs/rebuild.md says."""
    row = stage.aws.dynamodb.get_item(
        TableName=f"{stage.application}-positions", Key={"key": {"S": f"table/{VIEW}"}}, ConsistentRead=True
    ).get("Item")
    return row["table"]["S"] if row else stage.view


@contextmanager
def reader(stage: Stage, at_least: int) -> Iterator[list[str]]:
    """Somebody who reads all the time through the pointer; gives what they saw that no reader should."""
    wrong: list[str] = []
    stopped = threading.Event()

    def read() -> None:
        while not stopped.is_set():
            table = pointed(stage)
            rows = read_model(stage, table).rows
            if len(rows) < at_least:
                wrong.append(f"{len(rows)} rows in {table}")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield wrong
    finally:
        stopped.set()
        thread.join()


def test_a_model_is_built_anew_and_cut_over_to_during_live_traffic(stage: Stage) -> None:
    shop = Shop(stage)
    settings = stage.write_settings()
    for number in range(20):
        stage.aws.dynamodb.put_item(TableName=stage.table, Item={KEY: {"S": f"kept-{number}"}})
    with Service(stage, settings) as service:
        service.wait_until_settled(20)
        with (
            rebuilding(stage, settings) as rebuild,
            shop.writing(RATE),
            reader(stage, at_least=20) as wrong,
        ):
            rebuild.wait_until_settled(RATE)

            result = cut_over(stage, settings)

            assert result.returncode == 0, result
            assert rebuild.wait() == 0
            new = pointed(stage)
            assert new == f"{stage.view}-rebuild"
            service.wait_until(lambda: "daemon is started anew" in "".join(service.log()), "it goes on")
            service.wait_until_at_work()
        wait_until_checkpointed(stage, records=shop.written + 20)
        assert wrong == []
        assert_read_model_equals_source(stage, new)
        assert service.stop() == 0
