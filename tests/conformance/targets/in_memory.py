"""DynamoDB in memory, in virtual time: many histories in little time, each the same every time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from consumer.processors.ledger.entry import KEY
from consumer.settings.context import TableFacts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from tests.conformance.cases import Case
from tests.conformance.history import EPOCH
from tests.conformance.pace import Pace
from tests.conformance.targets.base import Main
from tests.conformance.targets.dynamodb import SOURCE_REGION, TARGET_REGION, read_model, table_facts
from tests.conformance.targets.paced_dynamodb import PacedDynamoDB, regions
from tests.conformance.truth import ReadModel
from tests.support.in_memory_dynamodb import InMemoryDynamoDB, Table
from tests.support.virtual_time import run_in_virtual_time

_VIEW = "view"
_LEDGER = "view-ledger"


class InMemoryStanding:
    """Two tables."""

    store: Mapping[str, object] = {"dynamodb": {"table": _VIEW}}

    def __init__(self, case: Case) -> None:
        self._case = case
        self._view = Table(*case.key)
        self._tables = {_VIEW: self._view, _LEDGER: Table(KEY)}

    async def make(self, settings: Settings, source: TableFacts) -> TableFacts:
        return table_facts(_VIEW, TARGET_REGION, self._case.key, ledger=_LEDGER)

    @asynccontextmanager
    async def stores(self, pace: Pace, source: Mapping[str, Table]) -> AsyncIterator[Stores]:
        target = InMemoryDynamoDB(self._tables, keys_read=pace.keys_read())
        yield Stores(
            regions(
                {
                    SOURCE_REGION: PacedDynamoDB(InMemoryDynamoDB(source), pace),
                    TARGET_REGION: PacedDynamoDB(target, pace),
                }
            ),
            {},
        )

    async def rows(self) -> ReadModel:
        return read_model(self._case, self._view.rows.values())

    async def restart(self) -> None:
        """Nothing to stop."""


class InMemoryTarget:
    """DynamoDB in memory."""

    unit = 0.02
    patience = 600.0
    key_wait = "10s"
    mixes_clocks = True

    def clock(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def run(self, main: Main) -> None:
        run_in_virtual_time(main)

    @asynccontextmanager
    async def stand(self, case: Case) -> AsyncIterator[InMemoryStanding]:
        yield InMemoryStanding(case)
