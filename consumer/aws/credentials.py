"""AWS credentials from botocore's chain, without blocking the event loop.

The chain: environment, profile, web identity, container, instance.
"""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Protocol

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


class KeysSource(Protocol):
    """The link of the chain that has keys."""

    def keys(self) -> Credentials | None:
        """The keys as they are now; may read files and call services (blocking).

        Raises:
            Unavailable: they can't be had now.
        """
        ...


class _Environment:
    """The chain's first link, without botocore."""

    def __init__(self, keys: Credentials) -> None:
        self._keys = keys

    def keys(self) -> Credentials:
        return self._keys


def from_chain() -> KeysSource:
    """The first link that has keys, in botocore's order."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return _Environment(Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN")))
    from consumer.aws.chain import BotocoreChain  # noqa: PLC0415 - 10 MB, only where they are needed

    return BotocoreChain()


class CredentialsProvider:
    """Keeps the keys at hand and renews them in a thread.

    While that goes on, and where it fails, the old ones are used.

    Args:
        resolve: the credential chain; called in a thread.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        resolve: Callable[[], KeysSource] = from_chain,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._clock = clock
        self._source: KeysSource | None = None
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
        except Unavailable:
            if self._keys is None:
                raise
        else:
            if found is not None and found != self._keys:
                self._keys = found
        finally:
            self._look_at = self._clock() + REFRESH_INTERVAL_SECONDS
            self._renewal = None

    def _look(self) -> Credentials | None:
        """Whatever goes wrong in the chain is an outage: no record is at fault where nobody could sign."""
        try:
            if self._source is None:
                self._source = self._resolve()
            return self._source.keys()
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(f"AWS credentials: {error}", code=type(error).__name__) from error
