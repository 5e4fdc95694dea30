"""Transactions and sums, of the sandbox and of the tests' DynamoDB in memory, both as AWS documents them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from botocore.exceptions import ClientError

from consumer.errors import Rejected
from consumer.processors.source import Answer, DynamoDB
from consumer.record import Image
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.streams import changes, create_stream, create_table, read_shard
from tests.support.aws import clients_of
from tests.support.dynamodb_expressions import OVERFLOW
from tests.support.in_memory_dynamodb import CANCELLED, InMemoryDynamoDB, Table

REGION = "us-east-1"
LARGEST = "9" * 38


@dataclass(frozen=True, slots=True)
class Store:
    """A DynamoDB with one table, whose key is `id`."""

    dynamodb: DynamoDB
    table: str

    async def put(self, item_id: str, **attributes: dict[str, Any]) -> None:
        await self.call("PutItem", Item={"id": {"S": item_id}, **attributes})

    async def get(self, item_id: str) -> Image | None:
        answer = await self.call("GetItem", Key={"id": {"S": item_id}}, ConsistentRead=True)
        item: Image | None = answer.body.get("Item")
        return item

    async def call(self, operation: str, **request: object) -> Answer:
        return await self.dynamodb.call(operation, {"TableName": self.table, **request})

    async def transact(self, *actions: tuple[str, Mapping[str, object]]) -> Answer:
        wanted = [{kind: {"TableName": self.table, **action}} for kind, action in actions]
        return await self.dynamodb.call("TransactWriteItems", {"TransactItems": wanted}, expect=(CANCELLED,))


@pytest_asyncio.fixture(params=["sandbox", "in memory"])
async def store(
    request: pytest.FixtureRequest, sandbox: SandboxProcess, aws: Aws, prefix: str
) -> AsyncIterator[Store]:
    if request.param == "in memory":
        yield Store(InMemoryDynamoDB({prefix: Table("id")}), prefix)
        return
    aws.dynamodb.create_table(
        TableName=prefix,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    async with clients_of(sandbox) as clients:
        yield Store(clients.client("dynamodb", REGION), prefix)


def put(item_id: str, **rest: object) -> tuple[str, Mapping[str, object]]:
    return "Put", {"Item": {"id": {"S": item_id}}, **rest}


def absent(item_id: str) -> tuple[str, Mapping[str, object]]:
    """A put on condition that the item isn't there."""
    return put(
        item_id,
        ConditionExpression="attribute_not_exists(id)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )


def add(item_id: str, number: str) -> tuple[str, Mapping[str, object]]:
    return "Update", {
        "Key": {"id": {"S": item_id}},
        "UpdateExpression": "ADD n :n",
        "ExpressionAttributeValues": {":n": {"N": number}},
    }


async def test_a_transaction_that_is_cancelled_tells_of_each_action_and_does_none(store: Store) -> None:
    await store.put("there", n={"N": "7"})

    answer = await store.transact(put("new"), absent("there"), put("newer"), absent("free"))

    reasons = answer.body["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "None", "None"]
    assert reasons[1]["Item"] == {"id": {"S": "there"}, "n": {"N": "7"}}
    assert await store.get("new") is None
    assert await store.get("free") is None


async def test_an_item_that_is_not_to_be_told_of_or_is_not_there_is_not_told_of(store: Store) -> None:
    await store.put("there")
    condition = {"ConditionExpression": "attribute_exists(seen_by)"}
    told = {**condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    answer = await store.transact(put("there", **condition), ("Delete", {"Key": {"id": {"S": "a"}}, **told}))

    for reason in answer.body["CancellationReasons"]:
        assert reason["Code"] == "ConditionalCheckFailed"
        assert "Item" not in reason


async def test_puts_updates_and_deletes_are_done_together(store: Store) -> None:
    await store.put("gone")
    await store.put("counted", n={"N": "1"})

    answer = await store.transact(
        put("new"), ("Delete", {"Key": {"id": {"S": "gone"}}}), add("counted", "2.50"), add("begun", "-3")
    )

    assert answer.error is None
    assert await store.get("new") == {"id": {"S": "new"}}
    assert await store.get("gone") is None
    assert await store.get("counted") == {"id": {"S": "counted"}, "n": {"N": "3.5"}}
    assert await store.get("begun") == {"id": {"S": "begun"}, "n": {"N": "-3"}}


async def test_a_sum_is_exact_to_38_digits_and_refused_beyond(store: Store) -> None:
    await store.put("a", n={"N": LARGEST[:-1] + "8"})
    assert (await store.transact(add("a", "1"))).error is None
    assert await store.get("a") == {"id": {"S": "a"}, "n": {"N": LARGEST}}

    answer = await store.transact(put("b"), add("a", "0.5"))

    assert answer.error == CANCELLED
    assert answer.body["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ValidationError", "Message": OVERFLOW},
    ]
    assert await store.get("a") == {"id": {"S": "a"}, "n": {"N": LARGEST}}


@pytest.mark.parametrize("expression", ["ADD n :n", "SET n = n + :n", "SET n = if_not_exists(n, :z) + :n"])
@pytest.mark.parametrize("number", ["0.5", "9E+125"])
async def test_a_sum_that_dynamodb_cannot_hold_is_refused_outside_a_transaction_too(
    store: Store, expression: str, number: str
) -> None:
    start = LARGEST if number == "0.5" else "9E+125"
    await store.put("a", n={"N": start})
    values = {":n": {"N": number}} | ({":z": {"N": "0"}} if ":z" in expression else {})
    before = await store.get("a")

    with pytest.raises(Rejected, match="Number overflow"):
        await store.call(
            "UpdateItem",
            Key={"id": {"S": "a"}},
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
        )

    assert await store.get("a") == before


async def test_a_transaction_has_100_actions_at_most_and_one_an_item(store: Store) -> None:
    hundred = [put(str(number)) for number in range(100)]
    assert (await store.transact(*hundred)).error is None

    with pytest.raises(Rejected):
        await store.transact(*hundred, put("one more"))
    with pytest.raises(Rejected, match="multiple operations on one item"):
        await store.transact(put("a"), ("Delete", {"Key": {"id": {"S": "a"}}}))


async def test_a_transaction_has_4_mb_at_most(store: Store) -> None:
    large = {"text": {"S": "x" * 390_000}}
    actions = [("Put", {"Item": {"id": {"S": str(number)}, **large}}) for number in range(11)]

    assert (await store.transact(*actions[:10])).error is None
    with pytest.raises(Rejected, match="4MB"):
        await store.transact(*actions)


async def test_a_batch_reads_what_is_there_of_100_keys(store: Store) -> None:
    await store.put("a", n={"N": "1"})
    keys = [{"id": {"S": text}} for text in ("a", "b")]

    async def read(keys: list[dict[str, dict[str, str]]]) -> dict[str, Any]:
        request = {"RequestItems": {store.table: {"Keys": keys, "ConsistentRead": True}}}
        return (await store.dynamodb.call("BatchGetItem", request)).body

    answer = await read(keys)
    assert answer["Responses"] == {store.table: [{"id": {"S": "a"}, "n": {"N": "1"}}]}
    assert answer["UnprocessedKeys"] == {}
    with pytest.raises(Rejected, match="duplicates"):
        await read([*keys, keys[0]])
    with pytest.raises(Rejected):
        await read([{"id": {"S": str(number)}} for number in range(101)])


@pytest.fixture
def table(aws: Aws, prefix: str) -> str:
    """A table whose changes go to a stream of one shard; both have the prefix for a name."""
    create_table(aws, prefix, create_stream(aws.kinesis, prefix))
    return prefix


def test_a_transaction_sends_the_change_of_each_item_it_changes(aws: Aws, table: str) -> None:
    for item_id in ("counted", "gone", "same"):
        aws.dynamodb.put_item(TableName=table, Item={"id": {"S": item_id}, "n": {"N": "1"}})

    aws.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": {"id": {"S": "new"}}}},
            {
                "Update": {
                    "TableName": table,
                    "Key": {"id": {"S": "counted"}},
                    "UpdateExpression": "ADD n :n",
                    "ExpressionAttributeValues": {":n": {"N": "2"}},
                }
            },
            {"Delete": {"TableName": table, "Key": {"id": {"S": "gone"}}}},
            {"Delete": {"TableName": table, "Key": {"id": {"S": "never there"}}}},
            {"Put": {"TableName": table, "Item": {"id": {"S": "same"}, "n": {"N": "1"}}}},
        ]
    )

    records = (msgspec.json.decode(record["Data"]) for record in read_shard(aws.kinesis, table).records[3:])
    found = {
        (record["eventName"], record["dynamodb"]["Keys"]["id"]["S"]): record["dynamodb"].get("NewImage")
        for record in records
    }
    assert found == {
        ("INSERT", "new"): {"id": {"S": "new"}},
        ("MODIFY", "counted"): {"id": {"S": "counted"}, "n": {"N": "3"}},
        ("REMOVE", "gone"): None,
    }


def test_a_cancelled_transaction_sends_nothing(aws: Aws, table: str) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        aws.dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": {"id": {"S": "new"}}}},
                {
                    "ConditionCheck": {
                        "TableName": table,
                        "Key": {"id": {"S": "a"}},
                        "ConditionExpression": "attribute_exists(id)",
                    }
                },
            ]
        )
    assert changes(aws.kinesis, table) == []


def test_a_transaction_of_one_token_is_carried_out_once(aws: Aws, table: str) -> None:
    def add(number: str) -> None:
        aws.dynamodb.transact_write_items(
            ClientRequestToken=table,
            TransactItems=[
                {
                    "Update": {
                        "TableName": table,
                        "Key": {"id": {"S": "a"}},
                        "UpdateExpression": "ADD n :n",
                        "ExpressionAttributeValues": {":n": {"N": number}},
                    }
                }
            ],
        )

    add("2")
    add("2")

    assert aws.dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]["n"] == {"N": "2"}
    with pytest.raises(ClientError, match="IdempotentParameterMismatchException"):
        add("3")
