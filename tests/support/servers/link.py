"""A TCP proxy between a client and a server, whose link a test can cut, freeze and mend."""

import asyncio
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Link:
    """Listens on 127.0.0.1 while it is entered, and passes what it gets to a port there, both ways.

    It runs on the event loop that entered it. To a client a frozen link looks like a server that is stuck,
    not like a dead machine: the kernel still acknowledges what is sent, so neither TCP_USER_TIMEOUT nor
    keepalives end the wait.
    """

    port: int
    """Where clients connect; known once it is entered."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_cut = False
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def cut(self) -> None:
        """Break all connections, and each new one at once, until `resume`. What was on its way is lost."""
        self._is_cut = True
        for connection in self._connections:
            connection.transport.abort()

    def freeze(self) -> None:
        """Let nothing through, of old connections and new ones, until `resume`; then it arrives after all."""
        self._flows.clear()

    def resume(self) -> None:
        """Mend the link."""
        self._is_cut = False
        self._flows.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            await self._flows.wait()
            if self._is_cut:
                return
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            self._connections.add(server_writer)
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._pass(reader, server_writer))
                    ways.create_task(self._pass(server_reader, writer))
            finally:
                self._connections.discard(server_writer)
                server_writer.close()
        except* OSError:
            pass  # one end is gone, which the other learns below
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._flows.wait()
            writer.write(chunk)
            await writer.drain()
        await self._flows.wait()
        writer.write_eof()
