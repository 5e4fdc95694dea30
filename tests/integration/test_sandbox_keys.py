"""AWS: DynamoDB developer guide, "Supported data types and naming rules in Amazon DynamoDB" (numbers)."""

from tests.integration.conftest import Aws


def test_equal_numbers_are_one_key_however_they_are_spelled(aws: Aws, prefix: str) -> None:
    dynamodb = aws.dynamodb
    dynamodb.create_table(
        TableName=prefix,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "N"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in ("9", "10", "100", "2.50"):
        dynamodb.put_item(TableName=prefix, Item={"id": {"N": "20"}, "n": {"N": number}})
    for number in ("1E+1", "10.0", "010"):
        dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": prefix,
                        "Key": {"id": {"N": "2E1"}, "n": {"N": number}},
                        "UpdateExpression": "ADD c :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                }
            ]
        )
    dynamodb.delete_item(TableName=prefix, Key={"id": {"N": "20"}, "n": {"N": "1E2"}})
    ten = {"id": {"N": "20"}, "n": {"N": "10"}, "c": {"N": "3"}}
    assert dynamodb.get_item(TableName=prefix, Key={"id": {"N": "20.0"}, "n": {"N": "10.00"}})["Item"] == ten
    read = dynamodb.batch_get_item(
        RequestItems={prefix: {"Keys": [{"id": {"N": "2E+1"}, "n": {"N": "1E+1"}}]}}
    )
    assert read["Responses"][prefix] == [ten]
    found = dynamodb.query(
        TableName=prefix,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"N": "20.00"}},
    )["Items"]
    assert [item["n"]["N"] for item in found] == ["2.5", "9", "10"]
