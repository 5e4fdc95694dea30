"""Read models of the orders, in each store: their settings, what they should hold and what they do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from opensearchpy import OpenSearch
from psycopg import sql

from tests.end_to_end.orders import (
    CANCELLED,
    Rows,
    lines_by_code,
    orders_by_id,
    reserved_by_sku,
    sales_by_day,
    text,
)
from tests.end_to_end.stage import KEY, Stage
from tests.end_to_end.truth import Item, scan, source

_NOT_CANCELLED = f"new.status != '{CANCELLED}'"
_SHOWN = 5
_MOST_HITS = 10_000


@dataclass(frozen=True, slots=True)
class ReadModel:
    """One processor and its target.

    Attributes:
        store: where in its settings the store stands, such as `postgresql`.
        settings: the processor's.
        expected: what it should hold of the source's items.
        found: what it holds now.
    """

    name: str
    store: str
    settings: Mapping[str, object]
    expected: Callable[[Iterable[Item]], Rows]
    found: Callable[[], Rows]


def assert_all_equal_the_source(stage: Stage, models: Sequence[ReadModel]) -> None:
    """Row by row; the test sees to it that all is settled."""
    items = list(source(stage).values())
    wrong = [line for model in models for line in _differences(model, items)]
    assert not wrong, f"{len(wrong)} rows differ, among them: " + "\n".join(wrong[:_SHOWN] + wrong[-_SHOWN:])


def _differences(model: ReadModel, items: Iterable[Item]) -> list[str]:
    wanted, found = model.expected(items), model.found()
    return [
        f"{model.name} {key}: is {found.get(key)}, should be {wanted.get(key)}"
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]


def in_dynamodb(stage: Stage) -> list[ReadModel]:
    """Lines by a ledger, and sums; their tables are made here."""
    dynamodb = stage.aws.dynamodb
    lines, sales = stage.view_named("lines"), stage.view_named("sales")
    for table, keys in ((lines, ("code", "sku")), (sales, ("day",))):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": name, "KeyType": "RANGE" if place else "HASH"}
                for place, name in enumerate(keys)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            BillingMode="PAY_PER_REQUEST",
        )

    def read_lines() -> Rows:
        return {
            (text(row, "code"), text(row, "sku")): (text(row, "id"), Decimal(row["quantity"]["N"]))
            for row in scan(dynamodb, lines)
        }

    def read_sales() -> Rows:
        return _counted(
            {
                (text(row, "day"),): (Decimal(row["orders"]["N"]), Decimal(row["revenue"]["N"]))
                for row in scan(dynamodb, sales)
            }
        )

    return [
        ReadModel("lines", "dynamodb", _lines({"table": lines}, "dynamodb"), lines_by_code, read_lines),
        ReadModel("sales", "dynamodb", _sales({"table": sales}, "dynamodb"), sales_by_day, read_sales),
    ]


def in_postgresql(url: str, database: str) -> list[ReadModel]:
    """Lines and sums; `url` is for the service, `database` for the reader."""
    texts = dict.fromkeys(("code", "sku", "id"), "text")
    types = {**texts, "quantity": "numeric"}
    lines = {"url": url, "table": "order_lines", "create": True, "types": types}
    reserved = {"url": url, "table": "stock", "create": True, "types": {"sku": "text"}}
    add = {"reserved": "item.quantity"}

    def rows(query: LiteralString, keys: int) -> Rows:
        with psycopg.connect(database) as connection:
            return {row[:keys]: row[keys:] for row in connection.execute(sql.SQL(query)).fetchall()}

    return [
        ReadModel(
            "lines-sql",
            "postgresql",
            _lines(lines, "postgresql"),
            lines_by_code,
            lambda: rows("SELECT code, sku, id, quantity FROM order_lines", 2),
        ),
        ReadModel(
            "stock",
            "postgresql",
            {
                "aggregate": {
                    "store": {"postgresql": reserved},
                    "when": _NOT_CANCELLED,
                    "for_each": "new.lines",
                    "group_by": {"sku": "item.sku"},
                    "add": add,
                    "on_expiry": "remove",
                }
            },
            reserved_by_sku,
            lambda: _counted(rows("SELECT sku, reserved FROM stock", 1)),
        ),
    ]


def in_opensearch(url: str, server: str, prefix: str) -> list[ReadModel]:
    """Orders by their id, and lines by codes that move; `url` is for the service, `server` for the reader."""
    orders, lines = f"{prefix}-orders", f"{prefix}-lines"
    client = OpenSearch(hosts=[server])

    def documents(index: str) -> list[dict[str, Any]]:
        client.indices.refresh(index=index)
        hits = client.search(index=index, body={"query": {"match_all": {}}}, size=_MOST_HITS)
        return [hit["_source"] for hit in hits["hits"]["hits"]]

    def read_orders() -> Rows:
        return {
            (row["id"],): (row["code"], row["status"], Decimal(str(row["total"])))
            for row in documents(orders)
        }

    def read_lines() -> Rows:
        found: Rows = {}
        for row in documents(lines):
            key = (row["code"], row["sku"])
            found[key] = (*found.get(key, ()), row["id"], Decimal(str(row["quantity"])))
        return found

    fields = {"code": "new.code", "status": "new.status", "total": "new.total"}
    projection = {
        "store": {"opensearch": {"url": url, "index": orders}},
        "key": {KEY: f"keys.{KEY}"},
        "fields": fields,
    }
    return [
        ReadModel("search", "opensearch", {"projection": projection}, orders_by_id, read_orders),
        ReadModel(
            "search-lines",
            "opensearch",
            _lines({"url": url, "index": lines}, "opensearch"),
            lines_by_code,
            read_lines,
        ),
    ]


def processors(models: Iterable[ReadModel]) -> list[dict[str, object]]:
    """Their settings, as tidemark.yaml has them."""
    return [{"name": model.name, **model.settings} for model in models]


def _lines(store: Mapping[str, object], kind: str) -> Mapping[str, object]:
    return {
        "projection": {
            "store": {kind: store},
            "when": _NOT_CANCELLED,
            "for_each": "new.lines",
            "key": {"code": "new.code", "sku": "item.sku"},
            "fields": {"id": f"keys.{KEY}", "quantity": "item.quantity"},
        }
    }


def _sales(store: Mapping[str, object], kind: str) -> Mapping[str, object]:
    return {
        "aggregate": {
            "store": {kind: store},
            "group_by": {"day": "new.day"},
            "add": {"orders": "`1`", "revenue": "new.total"},
            "on_expiry": "remove",
        }
    }


def _counted(rows: Rows) -> Rows:
    """Without the groups of which nothing is left."""
    return {key: sums for key, sums in rows.items() if any(sums)}
