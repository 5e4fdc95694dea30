"""A real PostgreSQL: a table made from the settings for each read model."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from functools import partial
from itertools import count

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from consumer.attributes import RESERVED
from consumer.settings.context import TableFacts
from consumer.settings.context import Target as Facts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from tests.conformance.cases import Case
from tests.conformance.pace import Pace
from tests.conformance.targets.base import Standing
from tests.conformance.targets.dynamodb import SOURCE_REGION
from tests.conformance.targets.served import ADDRESS, Served, direct_stores, found_and_made, linked_stores
from tests.conformance.truth import ReadModel, shown
from tests.support.in_memory_dynamodb import Table
from tests.support.servers.postgresql import PostgreSQLServer

_TYPES = {"S": "text", "N": "numeric"}
_exactly = partial(json.loads, parse_float=Decimal, parse_int=Decimal)


class SqlStanding:
    """One table."""

    def __init__(self, server: PostgreSQLServer, case: Case, table: str) -> None:
        types = {name: _TYPES[kind] for name, kind in case.key.items()}
        self.store: Mapping[str, object] = {
            "postgresql": {"url_env": ADDRESS, "table": table, "create": True, "types": types}
        }
        self._server = server
        self._case = case
        self._table = table

    async def make(self, settings: Settings, source: TableFacts) -> Facts:
        async with direct_stores(self._server.url) as stores:
            return await found_and_made(settings, stores, source, SOURCE_REGION)

    def stores(self, pace: Pace, source: Mapping[str, Table]) -> AbstractAsyncContextManager[Stores]:
        address = self._server.url.replace(f":{self._server.port}/", ":{port}/")
        return linked_stores(self._server.port, address, pace, source)

    async def rows(self) -> ReadModel:
        model: ReadModel = {}
        async with await psycopg.AsyncConnection.connect(self._server.url, row_factory=dict_row) as reader:
            set_json_loads(_exactly, reader)
            found = await reader.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(self._table)))
            for row in await found.fetchall():
                fields = row.get("item", row)
                fields.pop(RESERVED, None)
                model[tuple(row[name] for name in self._case.key)] = fields
        return shown(self._case, model)

    async def restart(self) -> None:
        await asyncio.to_thread(self._server.stop)
        await asyncio.to_thread(self._server.start)


class SqlTarget(Served):
    """One server for all."""

    def __init__(self, server: PostgreSQLServer) -> None:
        self._server = server
        self._numbers = count()

    @asynccontextmanager
    async def stand(self, case: Case) -> AsyncIterator[Standing]:
        table = f"view_{next(self._numbers)}"
        try:
            yield SqlStanding(self._server, case, table)
        finally:
            async with await psycopg.AsyncConnection.connect(self._server.url, autocommit=True) as owner:
                for name in (table, f"{table}_tidemark"):
                    await owner.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
