"""What one process shares of the stores: AWS's clients, and one pool of connections for each other store."""

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from consumer.aws.clients import Clients, open_clients
from consumer.settings.stores import OpenSearchIndex, PostgreSQLTable, address_of
from consumer.stores.opensearch.address import read_address

if TYPE_CHECKING:
    from consumer.stores.opensearch.client import OpenSearch
    from consumer.stores.postgresql.database import Database


class Stores:
    """The stores of one process, each opened when it is first asked for."""

    def __init__(self, aws: Clients, environment: Mapping[str, str]) -> None:
        self.aws = aws
        self._environment = environment
        self._databases: dict[str, Database] = {}
        self._clusters: dict[str, OpenSearch] = {}

    def postgresql(self, store: PostgreSQLTable) -> "Database":
        """The database of a target; targets of one address share its connections.

        Raises:
            SettingsError: its address is none, or the variable that names it is not set.
        """
        # Each process pays for the clients of its own stores only: psycopg takes 0.1 s to import.
        from consumer.stores.postgresql.database import Database  # noqa: PLC0415

        address = address_of(store, self._environment)
        database = self._databases.setdefault(
            address, Database(address, connections=store.connections, uniform=random.random)
        )
        database.allow(store.connections)
        return database

    def opensearch(self, store: OpenSearchIndex) -> "OpenSearch":
        """The cluster of a target.

        Raises:
            SettingsError: its address is none, or the variable that names it is not set.
        """
        from consumer.stores.opensearch.client import OpenSearch  # noqa: PLC0415 - 12 MB, where they are needed

        url = address_of(store, self._environment)
        if url not in self._clusters:
            self._clusters[url] = OpenSearch(read_address(url))
        return self._clusters[url]

    async def close(self) -> None:
        """Close what was opened."""
        for cluster in self._clusters.values():
            await cluster.close()
        for database in self._databases.values():
            await database.close()


@asynccontextmanager
async def open_stores(endpoint_url: Callable[[str, str], str]) -> AsyncIterator[Stores]:
    """Open AWS's clients, and close all there is at the end.

    Args:
        endpoint_url: the endpoint of an AWS service in a region.
    """
    async with open_clients(endpoint_url) as clients:
        stores = Stores(clients, os.environ)
        try:
            yield stores
        finally:
            await stores.close()
