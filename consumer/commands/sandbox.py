"""`tidemark sandbox`: the sandbox in the foreground, until SIGTERM or Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable

from consumer.errors import TidemarkError
from sandbox.process import REGION
from sandbox.server import Settings
from sandbox.server import serve as serve_sandbox

_FOR_A_SHELL = """Serving AWS at {endpoint} until Ctrl-C; what is in it goes with it. From another shell:

export AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} AWS_DEFAULT_REGION={region}
export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_EC2_METADATA_DISABLED=true
"""


def serve(host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until told to stop; `tell` gets the address and how to use it.

    Raises:
        TidemarkError: the address can't be had.
    """
    try:
        asyncio.run(_serve(Settings(host=host, port=port), tell))
    except OSError as error:
        raise TidemarkError(
            f"The sandbox can't serve on {host}:{port}: {error.strerror}. Take another --port; 0: any free."
        ) from error


async def _serve(settings: Settings, tell: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve_sandbox(
        settings,
        ready=lambda endpoint: tell(_FOR_A_SHELL.format(endpoint=endpoint, region=REGION)),
        stop=stop,
    )
