"""What `tidemark validate` says of where dead letters go."""

from pathlib import Path

import pytest

from consumer.commands.validate import validate

SETTINGS = """\
application: shop-orders
source: {{ kinesis: {{ stream: orders-changes, table: orders }} }}
delivery: {{ {delivery} }}
processors:
  - name: view
    projection: {{ store: {{ dynamodb: {{ table: view }} }}, key: {{ orderId: keys.orderId }} }}
    delivery: {{ {own} }}
"""
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/letters"
TOPIC = "arn:aws:sns:us-east-1:123456789012:letters"
NOWHERE = "kept nowhere: a record at fault holds up its item, and its shard once the window is full"


@pytest.mark.parametrize(
    ("delivery", "own", "undecodable", "failures"),
    [
        ("", "", NOWHERE, NOWHERE),
        (
            f'on_failure: {{ sqs: "{QUEUE}", claim_check: "s3://large/ones", sns: "{TOPIC}" }}',
            "",
            *[f"to {QUEUE}, too large ones to s3://large/ones; {TOPIC} is told"] * 2,
        ),
        (
            "on_failure: { file: { path: /data/letters.jsonl, durable: true } }",
            'on_failure: { s3: "s3://letters" }',
            "to /data/letters.jsonl",
            "to s3://letters",
        ),
    ],
    ids=["nowhere", "queue", "file and bucket"],
)
def test_it_says_where_dead_letters_go_and_what_is_no_change_record(
    tmp_path: Path, delivery: str, own: str, undecodable: str, failures: str
) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(SETTINGS.format(delivery=delivery, own=own), encoding="utf-8")

    told = list(validate(file, look_at_aws=False))

    assert f"  undecodable  {undecodable}" in told
    assert f"    failures   {failures}" in told
