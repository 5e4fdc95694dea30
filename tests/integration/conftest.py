"""For tests that need AWS: one sandbox for the session, clients for it, and names no other test has."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from sandbox.process import SandboxProcess

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Aws:
    """boto3 clients for one sandbox. They try once: a test that expects an error sees the first one."""

    dynamodb: "DynamoDBClient"
    kinesis: "KinesisClient"
    s3: "S3Client"
    sns: "SNSClient"
    sqs: "SQSClient"


def session_of(sandbox: SandboxProcess) -> boto3.Session:
    """Return a session with a sandbox's credentials and region; each client needs its `endpoint_url`."""
    return boto3.Session(
        aws_access_key_id=sandbox.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=sandbox.environment["AWS_SECRET_ACCESS_KEY"],
        region_name=sandbox.environment["AWS_REGION"],
    )


def connect(sandbox: SandboxProcess) -> Aws:
    """Make the clients for a sandbox."""
    session = session_of(sandbox)
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20, connect_timeout=5)
    endpoint = sandbox.endpoint
    return Aws(
        dynamodb=session.client("dynamodb", endpoint_url=endpoint, config=config),
        kinesis=session.client("kinesis", endpoint_url=endpoint, config=config),
        s3=session.client("s3", endpoint_url=endpoint, config=config),
        sns=session.client("sns", endpoint_url=endpoint, config=config),
        sqs=session.client("sqs", endpoint_url=endpoint, config=config),
    )


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(ttl_interval_seconds=0.1) as process:
        yield process


@pytest.fixture(scope="session")
def aws(sandbox: SandboxProcess) -> Aws:
    return connect(sandbox)


@pytest.fixture
def prefix() -> str:
    """Begins the names of a test's tables and streams, so that tests share the sandbox and nothing in it."""
    return f"test-{uuid.uuid4().hex[:12]}"
