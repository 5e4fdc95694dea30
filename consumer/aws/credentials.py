"""AWS credentials from botocore's chain, without blocking the event loop.

The chain: environment, profile, web identity, container, instance.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import botocore.session
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import BotoCoreError

from consumer.aws.signer import Credentials
from consumer.errors import Unavailable

REFRESH_INTERVAL_SECONDS = 60.0
"""botocore renews temporary keys 15 minutes before they end: a look a minute is well in time."""


class CredentialsSource(Protocol):
    """Where a client gets its keys for each request."""

    async def current(self) -> Credentials:
        """Keys to sign with now."""
        ...

    def discard(self, refused: Credentials) -> None:
        """A service called these keys expired or unknown: look for others before the next request."""
        ...


def from_chain() -> BotocoreCredentials | None:
    """What botocore's chain finds in this process; may read files and call services (blocking)."""
    return botocore.session.Session().get_credentials()


class CredentialsProvider:
    """Keeps the keys at hand and renews them in a thread.

    While that goes on, and where it fails, the old ones are used.

    Args:
        resolve: the credential chain; called in a thread.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        resolve: Callable[[], BotocoreCredentials | None] = from_chain,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._clock = clock
        self._source: BotocoreCredentials | None = None
        self._keys: Credentials | None = None
        self._look_at = 0.0
        self._renewal: asyncio.Task[None] | None = None

    async def current(self) -> Credentials:
        """Keys to sign with now.

        Raises:
            Unavailable: the chain finds no credentials, or can't reach the service that has them.
        """
        if self._keys is None or self._clock() >= self._look_at:
            await self._renewed()
        if self._keys is None:
            raise Unavailable(
                "no AWS credentials found: set them by environment, profile, or the pod's or machine's role",
                code="NoCredentials",
            )
        return self._keys

    def discard(self, refused: Credentials) -> None:
        """Go through the whole chain again: a mounted credentials file may have been replaced."""
        if self._keys is refused:
            self._source = None
            self._look_at = 0.0

    async def _renewed(self) -> None:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
        if self._keys is None or self._source is None:
            await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        try:
            found = await asyncio.to_thread(self._look)
        except BotoCoreError as error:
            if self._keys is None:
                raise Unavailable(f"AWS credentials: {error}", code=type(error).__name__) from error
        else:
            if found is not None and found != self._keys:
                self._keys = found
        finally:
            self._look_at = self._clock() + REFRESH_INTERVAL_SECONDS
            self._renewal = None

    def _look(self) -> Credentials | None:
        if self._source is None:
            self._source = self._resolve()
        if self._source is None:
            return None
        frozen = self._source.get_frozen_credentials()
        if not frozen.access_key or not frozen.secret_key:
            return None
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
