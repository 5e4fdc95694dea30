"""Where dead letters may be sent, and how a mistake in it is told."""

from pathlib import Path

import pytest

from consumer.errors import SettingsError
from consumer.settings.load import load_settings

SETTINGS = """\
application: shop-orders
source: {{ kinesis: {{ stream: orders-changes, table: orders }} }}
delivery:
  on_failure: {{ {on_failure} }}
processors:
  - name: view
    projection: {{ store: {{ dynamodb: {{ table: view }} }}, key: {{ orderId: keys.orderId }} }}
"""
QUEUE = 'sqs: "https://sqs.us-east-1.amazonaws.com/123456789012/letters"'


def load(tmp_path: Path, on_failure: str) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(SETTINGS.format(on_failure=on_failure), encoding="utf-8")
    load_settings(file)


@pytest.mark.parametrize(
    "on_failure",
    [
        QUEUE,
        f'{QUEUE}, claim_check: "s3://letters.too-large/some/prefix"',
        'sqs: "http://127.0.0.1:4566/000000000000/letters.fifo"',
        's3: "s3://letters", sns: "arn:aws-cn:sns:cn-north-1:123456789012:letters.fifo"',
        "file: { path: /data/letters.jsonl, durable: true }",
    ],
)
def test_a_place_for_dead_letters_is_accepted(tmp_path: Path, on_failure: str) -> None:
    load(tmp_path, on_failure)


@pytest.mark.parametrize(
    ("on_failure", "said"),
    [
        (f'{QUEUE}, s3: "s3://letters"', "exactly one of `sqs`, `s3` and `file`, not to `sqs` and `s3`"),
        ('sns: "arn:aws:sns:us-east-1:123456789012:letters"', "exactly one of .*, not to none of them"),
        ('s3: "s3://letters", claim_check: "s3://letters"', "`claim_check` is for `sqs` only"),
        ("", "exactly one of .*, not to none of them"),
        ("sqs: letters", r"on_failure\.sqs.*the URL of an SQS queue"),
        ("s3: letters", r"on_failure\.s3.*a bucket .*and a prefix"),
        (f"{QUEUE}, sns: letters", r"on_failure\.sns.*the ARN of an SNS topic"),
        ("file: { path: letters.jsonl, durable: true }", r"file\.path.*the absolute path of a file"),
        ("file: { path: /data/, durable: true }", r"file\.path.*the absolute path of a file"),
        ("file: { path: /data/letters.jsonl, durable: false }", r"file\.durable.*`true`"),
    ],
)
def test_a_place_that_can_t_be_meant_is_told_with_what_is_allowed(
    tmp_path: Path, on_failure: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=rf"tidemark\.yaml:4:\d+: .*{said}"):
        load(tmp_path, on_failure)


@pytest.mark.parametrize("empty", ["", "null", "~"])
def test_an_on_failure_with_nothing_in_it_is_refused_since_it_would_keep_nothing(
    tmp_path: Path, empty: str
) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(SETTINGS.replace("{{ {on_failure} }}", empty).format(), encoding="utf-8")

    with pytest.raises(SettingsError, match=r"yaml:4:\d+: delivery\.on_failure: is empty: name a place"):
        load_settings(file)
