"""An application in the sandbox, dead letters as a shard process writes them, and the command."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from consumer.commands.redrive.command import Options, redrive
from consumer.errors import Rejected
from consumer.record import AttributeValue, EventName, Image, StreamRecord
from consumer.shard.deadletter.letter import DeadLetter, Origin, encode, to_document
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.pod.conftest import Shop
from tests.support.changes import envelope

SHARD = "shardId-000000000001"
DAY = 86_400

SETTINGS = """\
application: {application}
source: {{ kinesis: {{ stream: {stream}, table: {orders} }} }}
delivery: {{ on_failure: {on_failure} }}
processors:
  - name: view
    projection: {{ store: {{ dynamodb: {{ table: {view} }} }}, key: {{ id: keys.id }} }}
  - name: picky
    projection:
      store: {{ dynamodb: {{ table: {picky} }} }}
      key: {{ id: keys.id }}
      fields: {{ size: length(new.v) }}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a redrive ended."""

    code: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(slots=True)
class Stage:
    """Two read models of one table: `view` takes anything, `picky` texts only."""

    shop: Shop
    sandbox: SandboxProcess
    directory: Path
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    @property
    def aws(self) -> Aws:
        return self.shop.aws

    @property
    def file(self) -> Path:
        """Where one shard process would write its letters."""
        return self.directory / f"letters.{SHARD}.jsonl"

    def settings(self, on_failure: str | None = None) -> Path:
        """The settings file; letters go to `letters.jsonl` where nothing else is said."""
        path = self.directory / "tidemark.yaml"
        text = SETTINGS.format(
            application=self.shop.prefix,
            stream=self.shop.stream,
            orders=self.shop.orders,
            view=self.shop.view,
            picky=f"{self.shop.prefix}-picky",
            on_failure=on_failure
            or f"{{ file: {{ path: {self.directory / 'letters.jsonl'}, durable: true }} }}",
        )
        path.write_text(text, encoding="utf-8")
        return path

    def queue(self) -> str:
        """The URL of a queue that is there."""
        return self.aws.sqs.create_queue(QueueName=f"{self.shop.prefix}-queue")["QueueUrl"]

    def letter(
        self,
        item: str,
        value: str = "1",
        *,
        processor: str | None = "view",
        age_seconds: float = 60.0,
        event: EventName = "INSERT",
        application: str | None = None,
        table: str | None = None,
        data: bytes | None = None,
        padding: int = 0,
    ) -> bytes:
        """A letter's JSON: the item was written so long ago, with `v` a number if it looks like one."""
        micros = int((time.time() - age_seconds) * 1_000_000)
        v: AttributeValue = {"N": value} if value.isdigit() else {"S": value}
        image: Image = {"id": {"S": item}, "v": v}
        if padding:
            image["padding"] = {"S": "x" * padding}
        keys = {"id": {"S": item}}
        written = envelope(
            event,
            keys,
            micros,
            new=None if event == "REMOVE" else image,
            old=image if event == "REMOVE" else None,
            table=table or self.shop.orders,
        )
        record = StreamRecord(data if data is not None else written, str(next(self.numbers)))
        error = Rejected("no", code="ValidationException")
        origin = Origin(application or self.shop.prefix, self.shop.stream, SHARD)
        return encode(to_document(DeadLetter(processor, record, error, 6), origin, time.time()))

    def redrive(self, **options: object) -> Ended:
        """Call the command in this process."""
        return asyncio.run(self.redriven(**options))

    async def redriven(self, **options: object) -> Ended:
        """The same within an event loop."""
        lines: list[str] = []
        asked = {
            "config": self.directory / "tidemark.yaml",
            "place": None,
            "processor": None,
            "out_of_order": False,
            "limit": None,
            "dry_run": False,
        }
        made = Options(**(asked | options))  # type: ignore[arg-type]  # a test's own names
        return Ended(await redrive(made, lines.append), lines)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Call it as a user does."""
        return subprocess.Popen(
            [sys.executable, "-m", "consumer.cli", "redrive", *arguments],
            env={**os.environ, **self.sandbox.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def row(self, item: str, name: str = "view") -> dict[str, object] | None:
        """A row of a read model, without our mark."""
        answer = self.aws.dynamodb.get_item(
            TableName=f"{self.shop.prefix}-{name}", Key={"id": {"S": item}}, ConsistentRead=True
        )
        found = answer.get("Item")
        return None if found is None else {key: value for key, value in found.items() if key != "_tidemark"}

    def put(self, item: str, value: str) -> None:
        """Write into the source table."""
        self.aws.dynamodb.put_item(TableName=self.shop.orders, Item={"id": {"S": item}, "v": {"N": value}})

    def put_text(self, item: str, text: str) -> None:
        """Write a text into the source table."""
        self.aws.dynamodb.put_item(TableName=self.shop.orders, Item={"id": {"S": item}, "v": {"S": text}})


@pytest.fixture
def stage(
    sandbox: SandboxProcess, aws: Aws, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    shop = Shop(aws, prefix)
    shop.make_all()
    shop.make_table(f"{prefix}-picky")
    shop.enable_ttl(f"{prefix}-picky")
    made = Stage(shop, sandbox, tmp_path)
    made.settings()
    return made
