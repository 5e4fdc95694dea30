"""One shard process into each store, beside the naive way."""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from decimal import Decimal

import boto3
import orjson
import psycopg

from benchmarks.read_models import naive
from benchmarks.read_models.distance import at_a_distance
from benchmarks.read_models.dynamodb_endpoint import open_dynamodb_endpoint
from benchmarks.records import KEYS, envelopes, messages
from benchmarks.scripted_daemon import open_child
from benchmarks.stage import TARGET_REGION, open_stage
from consumer.settings.context import TableFacts
from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.postgresql import PostgreSQLServer, fresh_database

_RECORDS = 60_000
_FIELDS = {
    "customer": "new.customerId",
    "total": "new.totalPrice",
    "status": "new.status",
    "tags": "new.tags",
}
_SUMS = {
    "group_by": {"day": "iso_date(new.createdAt)"},
    "add": {"orders": "`1`", "revenue": "new.totalPrice"},
}
_DURABLE = {"fsync": "on", "full_page_writes": "on"}
"""As a server is that one trusts: a commit waits for the disk."""

_JVM = ("-Xmx1g", "-XX:+UseSerialGC")


def measure() -> dict[str, float]:
    """Records a second and CPU, ours and naive, by store.

    Raises:
        RuntimeError: a target doesn't hold what the records say.
    """
    figures: dict[str, float] = {}
    with PostgreSQLServer(_DURABLE) as server:
        figures |= _postgresql(server.url, "postgresql")
        with fresh_database(server.url) as url, at_a_distance(url) as distant:
            figures |= _postgresql(distant, "postgresql_1_ms_away")
    with OpenSearchServer(java_options=_JVM) as node:
        figures |= _beside("opensearch", _opensearch(node.url), naive.opensearch_documents(node.url))
    figures |= _beside("dynamodb_sums", *_dynamodb_sums())
    return figures


def _postgresql(url: str, name: str) -> dict[str, float]:
    return {
        **_beside(name, _postgresql_rows(url), naive.postgresql_rows(url)),
        **_beside(f"{name}_sums", _postgresql_sums(url), naive.postgresql_sums(url)),
    }


def _beside(store: str, ours: Mapping[str, float], naive_records_per_second: float) -> dict[str, float]:
    return {
        **{f"{store}_{name}": value for name, value in ours.items()},
        f"{store}_naive_records_per_second": naive_records_per_second,
        f"{store}_times_naive": ours["records_per_second"] / naive_records_per_second,
    }


def _play(
    processor: Mapping[str, object],
    check: Callable[[], None],
    *,
    target_url: str | None = None,
    target: TableFacts | None = None,
) -> dict[str, float]:
    """From the first record to the end of the shard."""
    lines = list(messages(envelopes(_RECORDS), arrived_at_ms=int(time.time() * 1000)))
    with ExitStack() as stack:
        stage = stack.enter_context(
            open_stage("bench-models", processor=processor, target_url=target_url, target=target)
        )
        daemon = stack.enter_context(open_child("consumer.shard", stage))
        began, cpu = time.monotonic(), daemon.cpu_seconds
        for line in lines:
            daemon.say_line(line)
        daemon.end_shard()
        seconds, cpu = time.monotonic() - began, daemon.cpu_seconds - cpu
        megabytes = daemon.megabytes
    check()
    return {
        "records_per_second": _RECORDS / seconds,
        "cpu_seconds_per_100_000": cpu / _RECORDS * 100_000,
        "megabytes": megabytes,
    }


def _postgresql_rows(url: str) -> dict[str, float]:
    types = {"customer": "text", "total": "numeric", "status": "text"}
    store = {"url": url, "table": "order_view", "create": True, "types": types}
    projection = {"store": {"postgresql": store}, "key": {"order_id": "keys.orderId"}, "fields": _FIELDS}

    def check() -> None:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*), sum(total) FROM order_view").fetchone()
        _see_that(row, (KEYS, _revenue()))

    return _play({"name": "order-view", "projection": projection}, check)


def _postgresql_sums(url: str) -> dict[str, float]:
    store = {"url": url, "table": "sales", "create": True, "types": {"day": "text"}}

    def check() -> None:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT orders, revenue FROM sales").fetchone()
        _see_that(row, (KEYS, _revenue()))

    return _play({"name": "sales", "aggregate": {"store": {"postgresql": store}, **_SUMS}}, check)


def _opensearch(url: str) -> dict[str, float]:
    projection = {
        "store": {"opensearch": {"url": url, "index": "order-view"}},
        "key": {"order_id": "keys.orderId"},
        "fields": _FIELDS,
    }

    def check() -> None:
        _get(f"{url}/order-view/_refresh")
        found = _get(f"{url}/order-view/_search?size=0&track_total_hits=true")
        _see_that(found["hits"]["total"]["value"], KEYS)

    return _play({"name": "order-view", "projection": projection}, check)


def _dynamodb_sums() -> tuple[dict[str, float], float]:
    tables = {"sales": "day", "sales-ledger": "item", "naive-sums": "day", "naive-ledger": "item"}
    facts = TableFacts(
        name="sales", region=TARGET_REGION, partition_key="day", key_types={"day": "S"}, ledger="sales-ledger"
    )
    store = {"dynamodb": {"table": "sales", "region": TARGET_REGION}}
    with open_dynamodb_endpoint(**tables) as url:

        def check() -> None:
            client = boto3.client(
                "dynamodb",
                region_name=TARGET_REGION,
                endpoint_url=url,
                aws_access_key_id="bench",
                aws_secret_access_key="bench",  # noqa: S106 - not a secret
            )
            (row,) = client.scan(TableName="sales")["Items"]
            _see_that((Decimal(row["orders"]["N"]), Decimal(row["revenue"]["N"])), (KEYS, _revenue()))

        ours = _play(
            {"name": "sales", "aggregate": {"store": store, **_SUMS}}, check, target_url=url, target=facts
        )
        return ours, naive.dynamodb_sums(url)


def _revenue() -> Decimal:
    """What the newest version of each order adds up to."""
    newest: dict[str, Decimal] = {}
    for data in envelopes(_RECORDS):
        image = orjson.loads(data)["dynamodb"]["NewImage"]
        newest[image["orderId"]["S"]] = Decimal(image["totalPrice"]["N"])
    return sum(newest.values(), Decimal())


def _see_that(found: object, wanted: object) -> None:
    if found != wanted:
        raise RuntimeError(f"the target holds {found}, where the records say {wanted}")


def _get(url: str) -> dict[str, dict[str, dict[str, int]]]:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own child
        content: dict[str, dict[str, dict[str, int]]] = json.load(answer)
    return content
