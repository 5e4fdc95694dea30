"""What a person is told of stores that are away, or not as the settings have them, before a start."""

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from opensearchpy import OpenSearch

from consumer.commands.demo.service import service_environment
from tests.end_to_end.harness import Service
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
from tests.end_to_end.truth import wait_until_checkpointed
from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.postgresql import PORTS, PostgreSQLServer
from tests.support.servers.server import free_port

VALIDATE_SECONDS = 60.0
GOOD, NOT_NOW, WRONG = 0, 1, 2


def validate(stage: Stage, settings: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """`tidemark validate`, as a person runs it."""
    return subprocess.run(
        [sys.executable, "-m", "consumer.cli", "validate", str(settings), *options],
        env=service_environment(stage.sandbox.environment),
        capture_output=True,
        text=True,
        timeout=VALIDATE_SECONDS,
        check=False,
    )


def says(service: Service, *words: str) -> bool:
    """Whether a pod says all of these where it is asked if it is ready."""
    said = service.get("/readyz").text
    return all(each in said for each in words)


def changed(model: ReadModel, name: str, **store: object) -> dict[str, Any]:
    """A read model's processor under another name, with other settings of its store; None takes one out."""
    settings = msgspec.json.decode(msgspec.json.encode(model.settings), type=dict[str, Any])
    ((_, kind),) = settings.items()
    place = {**kind["store"][model.store], **store}
    kind["store"][model.store] = {key: value for key, value in place.items() if value is not None}
    return {"name": name, **settings}


@pytest.fixture
def models(
    stage: Stage, database: str, opensearch: OpenSearchServer, index_prefix: str
) -> Mapping[str, ReadModel]:
    found = [
        *in_dynamodb(stage),
        *in_postgresql(database, database),
        *in_opensearch(opensearch.url, opensearch.url, index_prefix),
    ]
    return {model.name: model for model in found}


def test_a_good_file_is_told_to_be_good_and_nothing_is_made(
    stage: Stage,
    models: Mapping[str, ReadModel],
    database: str,
    opensearch: OpenSearchServer,
    index_prefix: str,
) -> None:
    settings = stage.write_settings(*processors(models.values()))
    for options in ((), ("--aws",)):
        result = validate(stage, settings, *options)
        assert (result.returncode, result.stderr) == (GOOD, "")
        assert "a row per element in PostgreSQL table order_lines" in result.stdout
        assert f"a row per item in OpenSearch index {index_prefix}-orders" in result.stdout
    assert "AWS: good" in result.stdout

    with psycopg.connect(database) as connection:
        made = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert made == []
    assert OpenSearch(hosts=[opensearch.url]).indices.get(index=f"{index_prefix}*") == {}
    tables = stage.aws.dynamodb.list_tables()["TableNames"]
    assert [name for name in tables if name.startswith(stage.application) and name.endswith("-ledger")] == []


def test_every_mistake_is_told_at_once_with_what_to_do(
    stage: Stage,
    models: Mapping[str, ReadModel],
    database: str,
    opensearch: OpenSearchServer,
    index_prefix: str,
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "CREATE TABLE theirs (code text, sku text, id text, quantity integer, _tidemark text,"
            " PRIMARY KEY (code, sku))"
        )
    OpenSearch(hosts=[opensearch.url]).indices.create(index=f"{index_prefix}-theirs")
    sql, index = models["lines-sql"], models["search"]
    mistakes = [
        changed(sql, "no-table", table="nowhere", create=None),
        changed(sql, "other-type", table="theirs"),
        changed(sql, "no-such-type", table="odd", types={"code": "text", "sku": "text", "id": "txet"}),
        changed(sql, "no-address", url=None, url_env="NOT_SET_ANYWHERE"),
        changed(index, "not-ours", index=f"{index_prefix}-theirs"),
        changed(index, "away", url=f"http://127.0.0.1:{free_port(*PORTS)}"),  # hides none of them
    ]
    settings = stage.write_settings(*mistakes)
    result = validate(stage, settings, "--aws")

    assert result.returncode == WRONG
    sentences = {
        "no-table": "table 'nowhere': there is no such table, or none that the role can see; create it, or"
        " set `create: true`",
        "other-type": 'column "quantity" is of type integer, not numeric; mend it: ALTER TABLE "theirs" ALTER'
        ' COLUMN "quantity" TYPE numeric',
        "no-such-type": 'type "txet" does not exist',
        "no-address": "the environment variable NOT_SET_ANYWHERE is not set; set it to the URL",
        "not-ours": f"'{index_prefix}-theirs' is an index, and has to be an alias",
    }
    told = result.stderr.splitlines()
    for name, sentence in sentences.items():
        place = rf"{re.escape(str(settings))}:\d+:\d+: processors\.{name}\."
        assert any(re.match(place, line) and sentence in line for line in told), told
    assert "Traceback" not in result.stderr


def test_a_store_that_is_not_there_is_told_with_its_address(
    stage: Stage, models: Mapping[str, ReadModel], database: str
) -> None:
    port = free_port(*PORTS)
    elsewhere = database.rsplit("/", 1)[0] + "/nowhere"
    for name, model, url, words in (
        (
            "no-server",
            models["lines-sql"],
            f"postgresql://postgres@127.0.0.1:{port}/x",
            f"port {port} failed",
        ),
        ("no-database", models["lines-sql"], elsewhere, 'database "nowhere" does not exist'),
        (
            "no-cluster",
            models["search"],
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{port} does not answer",
        ),
    ):
        result = validate(stage, stage.write_settings(changed(model, name, url=url)), "--aws")
        assert result.returncode == NOT_NOW
        assert words in result.stderr
        assert "Traceback" not in result.stderr


def test_a_pod_whose_stores_are_away_says_so_and_begins_once_they_are_back(
    stage: Stage,
    models: Mapping[str, ReadModel],
    postgresql: PostgreSQLServer,
    opensearch: OpenSearchServer,
) -> None:
    orders = Orders(stage)
    orders.write(50)
    postgresql.stop()
    opensearch.stop()
    with Service(stage, stage.write_settings(*processors(models.values()))) as service:
        asked = {postgresql: "connection to server at", opensearch: f"{opensearch.url} does not answer"}
        service.wait_until(partial(says, service, *asked.values()), "it says that both are away")
        assert service.get("/healthz").code == 200
        status = service.status()
        assert status is not None
        (problem,) = status.problems
        for server, words in asked.items():
            assert words in problem
            assert any(words in line for line in service.log())
            server.start()
        service.wait_until_at_work()
        wait_until_checkpointed(stage, records=orders.written)
        assert service.stop() == 0
    assert_all_equal_the_source(stage, list(models.values()))
