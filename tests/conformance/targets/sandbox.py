"""DynamoDB by the sandbox: the service's own client, over a link, and tables as the pod makes them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import urlsplit

from consumer.aws.clients import open_clients
from consumer.aws.signer import Credentials
from consumer.settings.context import TableFacts
from consumer.settings.context import Target as Facts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.conformance.cases import Case
from tests.conformance.pace import Pace
from tests.conformance.targets.base import Standing
from tests.conformance.targets.dynamodb import SOURCE_REGION, TARGET_REGION, read_model
from tests.conformance.targets.paced_dynamodb import PacedDynamoDB, regions
from tests.conformance.targets.paced_link import PacedLink
from tests.conformance.targets.served import Served, found_and_made
from tests.conformance.truth import ReadModel
from tests.support.aws import FixedCredentials, clients_of
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table


class SandboxStanding:
    """One table, and its ledger where it has one."""

    def __init__(self, sandbox: SandboxProcess, case: Case, table: str) -> None:
        self.store: Mapping[str, object] = {"dynamodb": {"table": table, "region": TARGET_REGION}}
        self._sandbox = sandbox
        self._case = case
        self._table = table

    async def make(self, settings: Settings, source: TableFacts) -> Facts:
        async with clients_of(self._sandbox) as clients:
            partition_key, *sort_keys = self._case.key
            schema = [{"AttributeName": partition_key, "KeyType": "HASH"}]
            schema += [{"AttributeName": name, "KeyType": "RANGE"} for name in sort_keys]
            types = [{"AttributeName": name, "AttributeType": kind} for name, kind in self._case.key.items()]
            await clients.client("dynamodb", TARGET_REGION).call(
                "CreateTable",
                {
                    "TableName": self._table,
                    "KeySchema": schema,
                    "AttributeDefinitions": types,
                    "BillingMode": "PAY_PER_REQUEST",
                },
            )
            return await found_and_made(settings, Stores(clients, {}), source, SOURCE_REGION)

    @asynccontextmanager
    async def stores(self, pace: Pace, source: Mapping[str, Table]) -> AsyncIterator[Stores]:
        port, environment = urlsplit(self._sandbox.endpoint).port, self._sandbox.environment
        keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        assert port is not None
        async with (
            PacedLink(port, pace) as link,
            open_clients(
                lambda _service, _region: f"http://127.0.0.1:{link.port}", credentials=FixedCredentials(keys)
            ) as clients,
        ):
            target = clients.client("dynamodb", TARGET_REGION)
            yield Stores(
                regions(
                    {
                        SOURCE_REGION: PacedDynamoDB(InMemoryDynamoDB(source), pace),
                        TARGET_REGION: target,
                    }
                ),
                {},
            )

    async def rows(self) -> ReadModel:
        async with clients_of(self._sandbox) as clients:
            dynamodb = clients.client("dynamodb", TARGET_REGION)
            answer = await dynamodb.call("Scan", {"TableName": self._table, "ConsistentRead": True})
        return read_model(self._case, answer.body["Items"])

    async def restart(self) -> None:
        """DynamoDB is never down."""


class SandboxTarget(Served):
    """One sandbox for all."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        self._numbers = count()

    @asynccontextmanager
    async def stand(self, case: Case) -> AsyncIterator[Standing]:
        yield SandboxStanding(self._sandbox, case, f"conformance-{next(self._numbers)}")
