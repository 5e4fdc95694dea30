import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws

SETTINGS = """\
application: {prefix}
source:
  kinesis:
    stream: {prefix}-changes
    table: {prefix}-orders
processors:
  - name: view
    projection:
      store: {{ dynamodb: {{ table: {prefix}-view }} }}
      key: {{ id: keys.id }}
"""


@pytest.fixture
def file(tmp_path: Path, prefix: str) -> Path:
    written = tmp_path / "tidemark.yaml"
    written.write_text(SETTINGS.format(prefix=prefix), encoding="utf-8")
    return written


def validate(file: Path, sandbox: SandboxProcess) -> subprocess.CompletedProcess[str]:
    return tidemark(sandbox, "validate", str(file), "--aws")


def tidemark(sandbox: SandboxProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "consumer.cli", *arguments],
        env={**os.environ, **sandbox.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def create_table(aws: Aws, name: str) -> None:
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_what_aws_has_is_told(file: Path, prefix: str, sandbox: SandboxProcess, aws: Aws) -> None:
    create_table(aws, f"{prefix}-orders")
    create_table(aws, f"{prefix}-view")
    aws.kinesis.create_stream(StreamName=f"{prefix}-changes", ShardCount=1)
    stream = aws.kinesis.describe_stream_summary(StreamName=f"{prefix}-changes")
    aws.dynamodb.enable_kinesis_streaming_destination(
        TableName=f"{prefix}-orders",
        StreamArn=stream["StreamDescriptionSummary"]["StreamARN"],
        EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    letters = aws.sqs.create_queue(QueueName=f"{prefix}-letters")["QueueUrl"]
    with file.open("a", encoding="utf-8") as settings:
        settings.write(f'delivery: {{ on_failure: {{ sqs: "{letters}" }} }}\n')

    result = validate(file, sandbox)

    assert result.returncode == 0, result.stderr
    assert f"stream       {prefix}-changes, keeps records 24 h" in result.stdout
    assert f"source       table {prefix}-orders in us-east-1, key id, no TTL, may be read" in result.stdout
    assert (
        f"warning: {file}:9:7: processors.view.projection.store: table '{prefix}-view' has no TTL"
        in result.stdout
    )
    assert (
        f"dead letters queue {letters}, keeps letters 4 d, takes 1,048,576 bytes a message" in result.stdout
    )
    assert (
        f"warning: {file}:11:27: delivery.on_failure.sqs: the queue drops a letter after 4 d" in result.stdout
    )


def test_all_that_aws_lacks_is_told_at_once(file: Path, prefix: str, sandbox: SandboxProcess) -> None:
    result = validate(file, sandbox)

    assert result.returncode == 2
    assert lacking(file, prefix) <= set(told(result))
    assert result.stdout == "", "a file by which nothing can run is not called good"
    assert "Traceback" not in result.stderr


def test_a_pod_that_can_t_start_tells_where_in_the_file_it_is(
    file: Path, prefix: str, sandbox: SandboxProcess
) -> None:
    result = tidemark(sandbox, "run", "-c", str(file), "--ops-port", "0", "--ops-host", "127.0.0.1")

    assert result.returncode == 2
    assert lacking(file, prefix) <= set(told(result))


def lacking(file: Path, prefix: str) -> set[str]:
    """Where in the file it is, what it is, and what there is not of it."""
    places = {
        "4:5: source.kinesis.stream: stream": "changes",
        "5:5: source.kinesis.table: table": "orders",
        "9:7: processors.view.projection.store: table": "view",
    }
    return {f"{file}:{place} '{prefix}-{name}' in us-east-1" for place, name in places.items()}


def told(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.partition(": there is no such")[0] for line in result.stderr.splitlines()]
