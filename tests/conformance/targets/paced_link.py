"""The way from one shard process to a server: slow, broken now and then, cut when the process is killed."""

import asyncio

from tests.conformance.pace import Pace
from tests.support.servers.link import CHUNK_BYTES, Link

_FAULTS_A_CHUNK = 0.2
"""Of the rate at which calls fail: one takes several chunks."""


class PacedLink(Link):
    """A link whose every chunk is a step."""

    def __init__(self, server_port: int, pace: Pace) -> None:
        super().__init__(server_port)
        self._pace = pace
        pace.on_kill.append(self.cut)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            fault = self._pace.fault(_FAULTS_A_CHUNK)
            await self._pace("bytes")
            if fault != "no effect":
                writer.write(chunk)
                await writer.drain()
            if fault is not None:
                self._pace.note(f"the connection breaks: {fault}")
                raise ConnectionResetError(fault)
        writer.write_eof()
