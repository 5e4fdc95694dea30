"""The dead letter queue of one test, looked at without Tidemark's own code."""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.commands.demo.service import service_environment
from tests.end_to_end.stage import Stage

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_REDRIVE_SECONDS = 60.0
_MOST_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue; looking leaves the messages in it."""

    sqs: "SQSClient"
    name: str
    url: str

    @property
    def delivery(self) -> Mapping[str, object]:
        """The settings by which dead letters go there."""
        return {"on_failure": {"sqs": self.url}}

    def depth(self) -> int:
        """Messages that are in it."""
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return sum(
            int(answer[name])
            for name in ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        )

    def letters(self) -> list[dict[str, Any]]:
        """The letters in it, ten at most."""
        messages = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=_MOST_AT_ONCE, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


def create_queue(stage: Stage) -> Queue:
    """Create the queue for the stage's dead letters."""
    name = f"{stage.application}-letters"
    return Queue(stage.aws.sqs, name, stage.aws.sqs.create_queue(QueueName=name)["QueueUrl"])


def record_of(letter: Mapping[str, Any]) -> bytes:
    """The record that a letter keeps."""
    return base64.b64decode(letter["record"], validate=True)


def redrive(stage: Stage, settings: Path) -> "subprocess.CompletedProcess[str]":
    """`tidemark redrive`, as a person runs it."""
    return subprocess.run(
        [sys.executable, "-m", "consumer.cli", "redrive", "--config", str(settings)],
        env=service_environment(stage.sandbox.environment),
        capture_output=True,
        text=True,
        timeout=_REDRIVE_SECONDS,
        check=False,
    )
