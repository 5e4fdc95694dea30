"""What one process shares of the stores: AWS's clients, and one pool of connections for each other store."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from consumer.aws.clients import Clients, open_clients


class Stores:
    """The stores of one process, each opened when it is first asked for."""

    def __init__(self, aws: Clients, environment: Mapping[str, str]) -> None:
        self.aws = aws
        self._environment = environment

    async def close(self) -> None:
        """Close what was opened."""


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
