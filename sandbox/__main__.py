"""`python -m sandbox`: serve until SIGTERM or SIGINT, or until stdin closes where that is asked for.

When it serves, it prints one line of JSON on stdout: {"endpoint": "http://127.0.0.1:PORT"}.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import threading

from sandbox.errors import SandboxError
from sandbox.server import Settings, serve


def main() -> int:
    """Parse the command line and serve. Returns the exit code: 1 where it can't serve."""
    arguments = _parser().parse_args()
    settings = Settings(
        host=arguments.host,
        port=arguments.port,
        seed=arguments.seed,
        ttl_interval_seconds=arguments.ttl_interval,
        verbose=arguments.verbose,
    )
    try:
        asyncio.run(_serve(settings, until_stdin_closes=arguments.until_stdin_closes))
    except OSError as error:
        sys.stderr.write(f"The sandbox can't serve on {settings.host}:{settings.port}: {error}\n")
        return 1
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description="AWS in one process, on this machine only.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port (default)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults' dice")
    parser.add_argument(
        "--ttl-interval", type=float, default=1.0, help="seconds between looks for expired items"
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when stdin closes")
    parser.add_argument("--verbose", action="store_true", help="log each request to stderr")
    return parser


async def _serve(settings: Settings, *, until_stdin_closes: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(stopping, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_stdin, args=(loop, stop), daemon=True).start()
    await serve(settings, ready=_announce, stop=stop)


def _stop_at_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def _announce(endpoint: str) -> None:
    sys.stdout.write(json.dumps({"endpoint": endpoint}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
