"""What one process shares of the stores: AWS's clients, and one pool of connections for each other store."""

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from consumer.aws.clients import Clients, open_clients
from consumer.settings.clusters import Address, read_address, region_of
from consumer.settings.stores import OpenSearchIndex, PostgreSQLTable, address_of

if TYPE_CHECKING:
    from consumer.aws.rest import RestSigner
    from consumer.stores.opensearch.client import OpenSearch
    from consumer.stores.postgresql.database import Database


class Stores:
    """The stores of one process, each opened when it is first asked for."""

    def __init__(self, aws: Clients, environment: Mapping[str, str]) -> None:
        self.aws = aws
        self._environment = environment
        self._databases: dict[str, Database] = {}
        self._clusters: dict[tuple[Address, str | None], OpenSearch] = {}

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
            SettingsError: its address is none, the variable that names it isn't set, or no region is known.
        """
        from consumer.stores.opensearch.client import OpenSearch  # noqa: PLC0415 - 12 MB, where they are needed

        address = read_address(address_of(store, self._environment))
        region = None if store.sigv4 is None else region_of(address, store.region)
        if (address, region) not in self._clusters:
            signer = None if region is None else self._signer(region)
            self._clusters[address, region] = OpenSearch(address, signer)
        return self._clusters[address, region]

    def _signer(self, region: str) -> "RestSigner":
        from consumer.aws.rest import RestSigner  # noqa: PLC0415 - botocore, another 10 MB

        return RestSigner("es", region, self.aws.credentials)

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
