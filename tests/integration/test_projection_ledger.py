"""A projection with a ledger, as the pod and a shard process make it, on the sandbox's DynamoDB."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from consumer.aws.client import CallPolicy
from consumer.pod.targets.dynamodb import make_ledger
from consumer.processors.base import APPLIED, STALE, Outcome, Processor, ProcessorTools
from consumer.processors.build import build_processor
from consumer.record import ChangeRecord
from consumer.settings.context import TableFacts
from consumer.settings.model import Processor as ProcessorSettings
from consumer.stores.opened import Stores
from sandbox.faults.fault import Fault
from sandbox.process import REGION, SandboxProcess
from tests.integration.conftest import Aws
from tests.support.aws import clients_of
from tests.support.context import shard_context
from tests.unit.processors.rows_bench import BY_CODE, BY_LINE, change, coded, lined

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

QUICK = CallPolicy(retry_base=0.001)
LONG = {f"sku-{number:03}": "1" for number in range(120)}
OTHER = {f"other-{number:03}": "2" for number in range(120)}


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A table of this key, and its ledger."""

    aws: Aws
    stores: Stores
    facts: TableFacts

    def processor(self, **settings: object) -> Processor:
        """As a shard process has it."""
        store = {"dynamodb": {"table": self.facts.name}}
        document = {"name": "view", "projection": {"store": store, **settings}}
        processor = ProcessorSettings.model_validate(document)
        context = shard_context().model_copy(update={"targets": {"view": self.facts}})
        tools = ProcessorTools(clock=time.time, uniform=lambda: 0.0)
        return build_processor(processor, context, self.stores, tools)

    def rows(self) -> dict[str, dict[str, str]]:
        """What is there, by key, without our mark."""
        found: dict[str, dict[str, str]] = {}
        for page in self.aws.dynamodb.get_paginator("scan").paginate(TableName=self.facts.name):
            for row in page["Items"]:
                assert row.pop("_tidemark")["M"].keys() == {"o"}
                key = "/".join(str(row.pop(name)["S"]) for name in self.facts.keys)
                found[key] = {name: str(value["S"]) for name, value in row.items()}
        return found


async def read_model(aws: Aws, stores: Stores, name: str, *keys: str) -> ReadModel:
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": keys[0], "KeyType": "HASH"}]
    schema += [{"AttributeName": key, "KeyType": "RANGE"} for key in keys[1:]]
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=schema,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    ledger = f"{name}-ledger"
    await make_ledger(stores.aws.client("dynamodb", REGION), ledger)
    facts = TableFacts(
        name=name,
        region=REGION,
        partition_key=keys[0],
        sort_key=keys[1] if keys[1:] else None,
        key_types=dict.fromkeys(keys, "S"),
        ledger=ledger,
    )
    return ReadModel(aws, stores, facts)


@pytest_asyncio.fixture
async def stores(sandbox: SandboxProcess) -> AsyncIterator[Stores]:
    async with clients_of(sandbox, QUICK) as clients:
        yield Stores(clients, {})


@pytest_asyncio.fixture
async def codes(aws: Aws, stores: Stores, prefix: str) -> ReadModel:
    return await read_model(aws, stores, f"{prefix}-codes", "code")


@pytest_asyncio.fixture
async def lines(aws: Aws, stores: Stores, prefix: str) -> ReadModel:
    return await read_model(aws, stores, f"{prefix}-lines", "id", "sku")


async def settle(processor: Processor, changes: list[ChangeRecord]) -> list[Outcome]:
    """Hand the changes over until none fails, as a lane does, but at once."""
    outcomes = await processor.process(changes)
    while any(outcome.error is not None for outcome in outcomes):
        outcomes = await processor.process(changes)
    return outcomes


async def test_rows_move_swap_and_go(codes: ReadModel) -> None:
    processor = codes.processor(**BY_CODE)
    assert await processor.process([change("a", 1, coded("x")), change("b", 1, coded("y"))]) == [APPLIED] * 2

    await settle(processor, [change("a", 2, coded("y", "of a")), change("b", 2, coded("x", "of b"))])

    assert codes.rows() == {"y": {"v": "of a"}, "x": {"v": "of b"}}
    gone = [change("a", 3, None), change("b", 3, None)]
    assert await processor.process(gone) == [APPLIED] * 2
    assert await processor.process([*gone, change("a", 1, coded("x"))]) == [STALE] * 3
    assert codes.rows() == {}


async def test_an_order_of_120_lines_changes_in_steps(lines: ReadModel) -> None:
    processor = lines.processor(**BY_LINE)
    assert await processor.process([change("o", 1, lined(LONG))]) == [APPLIED]
    assert await processor.process([change("o", 2, lined(OTHER))]) == [APPLIED]
    assert lines.rows() == {f"o/{sku}": {"n": "2"} for sku in OTHER}
    assert await processor.process([change("o", 3, lined({}))]) == [APPLIED]
    assert lines.rows() == {}


@pytest.mark.parametrize("kind", ["fail", "throttle", "lose_answer"])
async def test_an_order_that_is_disturbed_at_any_call_ends_whole(
    lines: ReadModel,
    sandbox: SandboxProcess,
    kind: Any,  # noqa: ANN401 - the fault's own literal
) -> None:
    await lines.processor(**BY_LINE).process([change("o", 1, lined(LONG))])
    fault = sandbox.faults.add(Fault(kind, "dynamodb", resource=f"{lines.facts.name}*", rate=0.5))
    try:
        for version, wanted in ((2, OTHER), (3, LONG), (4, OTHER)):
            await settle(lines.processor(**BY_LINE), [change("o", version, lined(wanted))])
        assert sandbox.faults.strikes(fault) > 0
    finally:
        sandbox.faults.remove(fault)
    assert lines.rows() == {f"o/{sku}": {"n": "2"} for sku in OTHER}


async def test_many_writers_of_one_shard_come_to_one_end(codes: ReadModel) -> None:
    history = [
        change(item, version, coded(f"{item}-{version % 3}", str(version)) if version % 7 else None)
        for version in range(1, 21)
        for item in ("a", "b")
    ]
    writers = (codes.processor(**BY_CODE) for _ in range(4))
    await asyncio.gather(*(settle(writer, history[start:]) for start, writer in enumerate(writers)))
    assert codes.rows() == {f"{item}-2": {"v": "20"} for item in ("a", "b")}


async def test_a_row_that_dynamodb_refuses_is_the_records_fault_and_its_neighbours_are_not(
    lines: ReadModel,
) -> None:
    large: Mapping[str, str] = {"a": "x" * 420_000}
    outcomes = await lines.processor(**BY_LINE).process(
        [change("large", 1, lined(large)), change("small", 1, lined({"a": "1"}))]
    )
    assert getattr(outcomes[0].error, "by_store", None) is False
    assert outcomes[1] == APPLIED
    assert lines.rows() == {"small/a": {"n": "1"}}
