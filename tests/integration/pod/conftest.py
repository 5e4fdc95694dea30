"""A stream, its table and a read model in the sandbox, as an application would have them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.streams import create_stream
from tests.support.aws import clients_of

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Shop:
    """Names in the sandbox: `prefix` is the application's too."""

    aws: Aws
    prefix: str

    @property
    def stream(self) -> str:
        return f"{self.prefix}-changes"

    @property
    def orders(self) -> str:
        return f"{self.prefix}-orders"

    @property
    def view(self) -> str:
        return f"{self.prefix}-view"

    def settings(self, *names: str, **changes: Any) -> Settings:  # noqa: ANN401 - what a YAML file may hold
        document = {
            "application": self.prefix,
            "source": {"kinesis": {"stream": self.stream, "table": self.orders}},
            "processors": [self.processor(name) for name in names or ("view",)],
        }
        return Settings.model_validate(document | changes)

    def processor(self, name: str) -> dict[str, object]:
        """A projection into a table of its name."""
        store = {"dynamodb": {"table": f"{self.prefix}-{name}"}}
        return {"name": name, "projection": {"store": store, "key": {"id": "keys.id"}}}

    def make_table(self, name: str, key: str = "id", kind: Any = "S") -> None:  # noqa: ANN401 - boto3's literal
        self.aws.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind}],
            BillingMode="PAY_PER_REQUEST",
        )

    def enable_ttl(self, name: str) -> None:
        self.aws.dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
        )

    def make_source(self, precision: Any = "MICROSECOND", shards: int = 1) -> None:  # noqa: ANN401 - the same
        self.make_table(self.orders)
        self.aws.dynamodb.enable_kinesis_streaming_destination(
            TableName=self.orders,
            StreamArn=create_stream(self.aws.kinesis, self.stream, shards),
            EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": precision},
        )

    def make_all(self) -> None:
        self.make_source()
        self.make_table(self.view)
        self.enable_ttl(self.view)


@pytest.fixture
def shop(aws: Aws, prefix: str) -> Shop:
    return Shop(aws, prefix)


@pytest_asyncio.fixture
async def stores(sandbox: SandboxProcess) -> AsyncIterator[Stores]:
    async with clients_of(sandbox) as opened:
        yield Stores(opened, {})
