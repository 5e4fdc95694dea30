"""Read models in PostgreSQL and OpenSearch built anew and cut over to, both at once, while orders change."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial

import psycopg
import pytest
from opensearchpy import OpenSearch

from tests.end_to_end.harness import Service
from tests.end_to_end.orders import Orders
from tests.end_to_end.read_models import (
    assert_all_equal_the_source,
    in_opensearch,
    in_postgresql,
    processors,
)
from tests.end_to_end.rebuilds import begin_to_cut_over, done, reading, rebuilding
from tests.end_to_end.stage import KEY, Stage
from tests.end_to_end.trouble import (
    assert_nothing_was_given_up,
    letters_of,
    wait_until_each_goes_on,
)
from tests.end_to_end.truth import wait_until_checkpointed
from tests.support.servers.opensearch import OpenSearchServer

RATE = 25
KEPT = 20
"""Orders that nobody changes: every reader has to see them, whenever."""
MOST_HITS = 10_000
OLD = 200
"""Changes of the others from before the stream's oldest record."""


def put_kept(stage: Stage) -> None:
    for number in range(KEPT):
        name = {"S": f"kept-{number}"}
        line = {"M": {"sku": {"S": "sku"}, "quantity": {"N": "1"}}}
        item = {KEY: name, "code": name, "day": {"S": "2026-11-01"}, "status": {"S": "PLACED"}}
        stage.aws.dynamodb.put_item(
            TableName=stage.table, Item={**item, "total": {"N": "1"}, "lines": {"L": [line]}}
        )


def lacks_kept(store: str, codes: Callable[[], Iterable[str]]) -> str | None:
    """What is wrong for a reader of the lines; None, if all that were kept are there."""
    there = {code for code in codes() if code.startswith("kept-")}
    return f"{len(there)} of {KEPT} in {store}" if len(there) < KEPT else None


def codes_in_table(database: str) -> Iterable[str]:
    with psycopg.connect(database) as connection:
        return [code for (code,) in connection.execute("SELECT code FROM order_lines").fetchall()]


def codes_in_index(client: OpenSearch, alias: str) -> Iterable[str]:
    """As a search shows them, which asks for no refresh."""
    hits = client.search(index=alias, body={"query": {"match_all": {}}}, size=MOST_HITS)["hits"]["hits"]
    return [hit["_source"]["code"] for hit in hits]


def has_scanned(rebuild: Service) -> bool:
    return "items of" in "".join(rebuild.log())


def tables(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in found}


@pytest.mark.timeout(600)
def test_models_in_postgresql_and_opensearch_are_built_from_source_and_stream_and_cut_over_to_at_once(
    stage: Stage, database: str, opensearch: OpenSearchServer, index_prefix: str
) -> None:
    """No reader sees less at any time, and the new models, which alone go on, equal the source."""
    found = [
        *in_postgresql(database, database),
        *in_opensearch(opensearch.url, opensearch.url, index_prefix),
    ]
    models = [model for model in found if model.name in ("lines-sql", "search-lines")]
    alias, client = f"{index_prefix}-lines", OpenSearch(hosts=[opensearch.url])
    places = (
        ("PostgreSQL", partial(codes_in_table, database)),
        ("OpenSearch", partial(codes_in_index, client, alias)),
    )
    orders, letters = Orders(stage), letters_of(stage)
    put_kept(stage)
    orders.write(OLD)
    settings = stage.write_settings(*processors(models), delivery=letters.delivery)
    with Service(stage, settings) as service, ExitStack() as until_checked:
        service.wait_until_at_work()
        wait_until_checkpointed(stage, records=KEPT + orders.written)
        assert_all_equal_the_source(stage, models)  # from now on, readers see it
        stage.sandbox.trim(stage.stream)
        readers = [until_checked.enter_context(reading(partial(lacks_kept, *place))) for place in places]
        with orders.writing(RATE):
            names = [model.name for model in models]
            rebuilds = [
                until_checked.enter_context(rebuilding(stage, settings, "--backfill", processor=name))
                for name in names
            ]
            for rebuild in rebuilds:
                rebuild.wait_until(partial(has_scanned, rebuild), "the source is scanned")
                rebuild.wait_until_settled(RATE)

            cutovers = [begin_to_cut_over(stage, settings, processor=name) for name in names]
            for cutover in cutovers:
                code, said = done(cutover)
                assert code == 0, said
            assert [rebuild.wait() for rebuild in rebuilds] == [0, 0]
            wait_until_each_goes_on(service, models)
        wait_until_checkpointed(stage)
        assert_nothing_was_given_up(service, letters)
        assert service.stop() == 0
    assert [(reader.looks > 0, reader.wrong) for reader in readers] == [(True, []), (True, [])]
    assert_all_equal_the_source(stage, models)
    assert {"order_lines", "order_lines_before"} <= tables(database)
    assert [*client.indices.get_alias(name=alias)] == [f"{alias}-rebuild-v1"]
