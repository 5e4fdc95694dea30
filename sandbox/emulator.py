"""The only door to ministack: its environment, its ASGI application, and its service modules by name.

ministack reads its environment when it is imported, so nothing of it is imported at the top of a file of
ours: `load` sets the environment first.
"""

import asyncio
import importlib
import importlib.metadata
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sandbox.errors import EmulatorChangedError

VERSION = "1.5.33"
SERVICES = ("dynamodb", "dynamodbstreams", "kinesis", "sqs", "sns", "s3", "events", "monitoring", "sts")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Service:
    """A module of ministack, whose names (the private ones too) are read and replaced by name.

    Raises EmulatorChangedError for a name the module does not have: ministack is pinned, and this says at
    start that another version is installed, instead of a patch that quietly does nothing.
    """

    module: ModuleType

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - ministack has no types; each caller gives its own
        """Return what the module holds under the name now."""
        try:
            return vars(self.module)[name]
        except KeyError:
            raise EmulatorChangedError(
                f"{self.module.__name__} has no {name}: the sandbox is written for ministack {VERSION}"
            ) from None

    def __setitem__(self, name: str, value: object) -> None:
        """Put another value under a name the module has."""
        _ = self[name]
        setattr(self.module, name, value)


@dataclass(frozen=True, slots=True)
class Emulator:
    """ministack, loaded and not yet patched. `stream` sends an answer that is written bit by bit."""

    application: Application
    kinesis: Service
    dynamodb: Service
    sqs: Service
    responses: Service
    stream: Callable[[Send, Receive, int, dict[str, str], object], Awaitable[None]]

    def scope(self, account: str, region: str) -> AbstractContextManager[None]:
        """Work in an account and region outside a request: ministack's stores are kept by both."""
        context: AbstractContextManager[None] = self.responses["request_scope"](account, region)
        return context


def load(port: int, *, verbose: bool) -> Emulator:
    """Import ministack for a server on this port, once a process; needs a running event loop.

    `verbose` logs each request to stderr. Raises EmulatorChangedError for another version than VERSION.
    """
    os.environ.update(
        {
            "SERVICES": ",".join(SERVICES),
            "GATEWAY_PORT": str(port),
            "LOG_LEVEL": "DEBUG" if verbose else "WARNING",
            "PERSIST_STATE": "0",
            "LOCALSTACK_PERSISTENCE": "0",
            "S3_PERSIST": "0",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "CLOUDTRAIL_RECORDING": "0",
            "AUTH": "false",
            "USE_SSL": "0",
        }
    )
    installed = importlib.metadata.version("ministack")
    if installed != VERSION:
        raise EmulatorChangedError(
            f"ministack {installed} is installed; the sandbox is written for {VERSION}"
        )
    application = Service(importlib.import_module("ministack.app"))
    # Its own lifespan handler would look for Docker, run scripts and open ports; this is all we need of it.
    application["_MAIN_LOOP"] = asyncio.get_running_loop()
    importlib.import_module("ministack.core.hypercorn_compat").install()
    if not verbose:
        logging.getLogger("ministack").setLevel(logging.WARNING)
    return Emulator(
        application=application["app"],
        kinesis=Service(importlib.import_module("ministack.services.kinesis")),
        dynamodb=Service(importlib.import_module("ministack.services.dynamodb")),
        sqs=Service(importlib.import_module("ministack.services.sqs")),
        responses=Service(importlib.import_module("ministack.core.responses")),
        stream=application["_send_streaming_response"],
    )
