import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.servers.link import Link

PATIENCE_SECONDS = 0.3
"""How long nothing must come for a test to call a link frozen."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data.upper())
    writer.write(b" the end")
    writer.close()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Link(server.sockets[0].getsockname()[1]) as link:
        yield link


async def test_it_passes_both_ways_up_to_the_last_byte(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"a" * 1_000_000)
    writer.write_eof()

    assert await reader.read(-1) == b"A" * 1_000_000 + b" the end"
    writer.close()


async def test_a_cut_breaks_old_and_new_connections_until_it_is_mended(link: Link) -> None:
    old, old_writer = await asyncio.open_connection("127.0.0.1", link.port)
    old_writer.write(b"one")
    assert await old.readexactly(3) == b"ONE"

    link.cut()
    assert await old.read() == b""
    new, new_writer = await asyncio.open_connection("127.0.0.1", link.port)
    assert await new.read() == b""

    link.resume()
    mended, mended_writer = await asyncio.open_connection("127.0.0.1", link.port)
    mended_writer.write(b"two")
    assert await mended.readexactly(3) == b"TWO"
    for writer in (old_writer, new_writer, mended_writer):
        writer.close()


async def test_what_a_frozen_link_held_arrives_once_it_is_mended(link: Link) -> None:
    old, old_writer = await asyncio.open_connection("127.0.0.1", link.port)
    old_writer.write(b"one")
    assert await old.readexactly(3) == b"ONE"

    link.freeze()
    new, new_writer = await asyncio.open_connection("127.0.0.1", link.port)
    old_writer.write(b"two")
    new_writer.write(b"three")
    answers = [asyncio.create_task(old.readexactly(3)), asyncio.create_task(new.readexactly(5))]
    arrived, _ = await asyncio.wait(answers, timeout=PATIENCE_SECONDS)
    assert arrived == set()

    link.resume()
    assert await asyncio.gather(*answers) == [b"TWO", b"THREE"]
    old_writer.close()
    new_writer.close()


async def test_a_server_that_is_away_looks_like_a_connection_that_ends() -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    async with Link(port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        assert await reader.read() == b""
        writer.close()
