"""One statement, or one transaction, per record: what a handler does that somebody writes in an afternoon."""

import time
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any

import boto3
import orjson
import psycopg
from botocore.config import Config
from opensearchpy import OpenSearch
from psycopg.types.json import Json

from benchmarks.records import envelopes

RECORDS = 2_000
Change = dict[str, Any]


def records_per_second(write: Callable[[Change], None]) -> float:
    """How many records a second one loop gets through."""
    records = list(islice(envelopes(RECORDS), RECORDS))
    began = time.monotonic()
    for data in records:
        write(orjson.loads(data)["dynamodb"])
    return RECORDS / (time.monotonic() - began)


def postgresql_rows(url: str) -> float:
    """An upsert a record, if the row is older."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE naive (order_id text PRIMARY KEY, customer text, total numeric, status text,"
            " tags jsonb, v bigint)"
        )

        def write(change: Change) -> None:
            image = change["NewImage"]
            connection.execute(
                "INSERT INTO naive VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (order_id) DO UPDATE SET"
                " customer = excluded.customer, total = excluded.total, status = excluded.status,"
                " tags = excluded.tags, v = excluded.v WHERE naive.v < excluded.v",
                (
                    image["orderId"]["S"],
                    image["customerId"]["S"],
                    Decimal(image["totalPrice"]["N"]),
                    image["status"]["S"],
                    Json([tag["S"] for tag in image["tags"]["L"]]),
                    change["ApproximateCreationDateTime"],
                ),
            )

        return records_per_second(write)


def opensearch_documents(url: str) -> float:
    """A document a record, at an external version."""
    client = OpenSearch(hosts=[url])

    def write(change: Change) -> None:
        image = change["NewImage"]
        client.index(
            index="naive",
            id=image["orderId"]["S"],
            body={
                "customer": image["customerId"]["S"],
                "total": float(image["totalPrice"]["N"]),
                "status": image["status"]["S"],
                "tags": [tag["S"] for tag in image["tags"]["L"]],
            },
            params={"version": change["ApproximateCreationDateTime"], "version_type": "external"},
        )

    return records_per_second(write)


def dynamodb_sums(url: str) -> float:
    """A transaction a record: what it counted is read, then replaced together with the difference."""
    client = boto3.client(
        "dynamodb",
        region_name="us-west-2",
        endpoint_url=url,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - not a secret
        config=Config(retries={"total_max_attempts": 1}),
    )

    def write(change: Change) -> None:
        item, total = change["Keys"]["orderId"]["S"], Decimal(change["NewImage"]["totalPrice"]["N"])
        day = change["NewImage"]["createdAt"]["S"][:10]
        held = client.get_item(TableName="naive-ledger", Key={"item": {"S": item}}, ConsistentRead=True).get(
            "Item"
        )
        before = Decimal(held["total"]["N"]) if held else None
        condition: dict[str, Any] = (
            {
                "ConditionExpression": "attribute_not_exists(#i)",
                "ExpressionAttributeNames": {"#i": "item"},
            }
            if before is None
            else {
                "ConditionExpression": "#t = :t",
                "ExpressionAttributeNames": {"#t": "total"},
                "ExpressionAttributeValues": {":t": {"N": str(before)}},
            }
        )
        client.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": "naive-ledger",
                        "Item": {"item": {"S": item}, "total": {"N": str(total)}},
                        **condition,
                    }
                },
                {
                    "Update": {
                        "TableName": "naive-sums",
                        "Key": {"day": {"S": day}},
                        "UpdateExpression": "ADD #o :o, #r :r",
                        "ExpressionAttributeNames": {"#o": "orders", "#r": "revenue"},
                        "ExpressionAttributeValues": {
                            ":o": {"N": "1" if before is None else "0"},
                            ":r": {"N": str(total - (before or 0))},
                        },
                    }
                },
            ]
        )

    return records_per_second(write)


def postgresql_sums(url: str) -> float:
    """The same in PostgreSQL."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE naive_ledger (item text PRIMARY KEY, total numeric)")
        connection.execute("CREATE TABLE naive_sums (day text PRIMARY KEY, orders numeric, revenue numeric)")
        connection.commit()

        def write(change: Change) -> None:
            item, total = change["Keys"]["orderId"]["S"], Decimal(change["NewImage"]["totalPrice"]["N"])
            day = change["NewImage"]["createdAt"]["S"][:10]
            row = connection.execute(
                "SELECT total FROM naive_ledger WHERE item = %s FOR UPDATE", (item,)
            ).fetchone()
            connection.execute(
                "INSERT INTO naive_ledger VALUES (%s, %s)"
                " ON CONFLICT (item) DO UPDATE SET total = excluded.total",
                (item, total),
            )
            connection.execute(
                "INSERT INTO naive_sums VALUES (%s, %s, %s) ON CONFLICT (day) DO UPDATE SET"
                " orders = naive_sums.orders + excluded.orders,"
                " revenue = naive_sums.revenue + excluded.revenue",
                (day, 0 if row else 1, total - (row[0] if row else 0)),
            )
            connection.commit()

        return records_per_second(write)
