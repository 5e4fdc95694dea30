"""The sandbox as a server: one socket, ministack behind the fault switch, until it is told to stop."""

import asyncio
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config

from sandbox import dynamodb, emulator, kinesis, sqs
from sandbox.control import Control, with_control
from sandbox.emulator import Application, Message, Receive, Send
from sandbox.fast_lane import with_fast_lane
from sandbox.faults.switch import FaultSwitch, with_faults
from sandbox.kinesis import expiry
from sandbox.kinesis.streams import Streams


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sandbox is served. `port` 0 takes a free one; `seed` is for the faults' dice."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    ttl_interval_seconds: float = 1.0
    verbose: bool = False


async def serve(settings: Settings, *, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `ready` is called once with the endpoint (http://HOST:PORT).

    May be called once a process: ministack keeps its state in its modules. Raises OSError where the address
    can't be bound.
    """
    listener = socket.create_server((settings.host, settings.port), backlog=1024)
    port = listener.getsockname()[1]
    loaded = emulator.load(port, verbose=settings.verbose)
    switch = FaultSwitch(time.monotonic, random.Random(settings.seed))
    kinesis.apply(loaded, time.time)
    sqs.apply(loaded.sqs)
    later = asyncio.get_running_loop().call_later
    reaper = dynamodb.apply(loaded, clock=time.time, strike=switch.strike_record, later=later)
    trim = partial(expiry.trim, Streams(loaded.kinesis, time.time))
    application = with_control(with_faults(with_fast_lane(loaded), switch), Control(switch, trim))
    announced = _with_lifespan(application, lambda: ready(f"http://{settings.host}:{port}"))
    reaping = asyncio.create_task(reaper.run(settings.ttl_interval_seconds))
    try:
        # hypercorn names its own Scope and Event types; ours are the same mappings, said more plainly.
        await serve_asgi(announced, _config(listener, settings), shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    finally:
        reaping.cancel()


def _with_lifespan(application: Application, ready: Callable[[], None]) -> Application:
    """Answer the server's lifespan messages in ministack's place, and tell when the server serves."""

    async def lifespan(message: Message, receive: Receive, send: Send) -> None:
        if message["type"] != "lifespan":
            await application(message, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        ready()
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return lifespan


def _config(listener: socket.socket, settings: Settings) -> Config:
    """Settings of hypercorn, which speaks HTTP/2 without TLS too, as the KCL's Kinesis client needs."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # hypercorn closes it
    config.loglevel = "INFO" if settings.verbose else "WARNING"
    config.accesslog = "-" if settings.verbose else None
    config.errorlog = "-"
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 1_000_000_000  # a client's connection lives as long as the client
    config.graceful_timeout = 0.5
    config.include_server_header = False
    config.include_date_header = False
    return config
