"""A server some way off: a relay in a process of its own that keeps back each way what passes it.

A server on the same machine answers within 0.1 ms; one in another availability zone of a region takes about a
millisecond, which is what a statement per record waits for and a batch does not.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.child_server import open_child_server

ROUND_TRIP_SECONDS = 0.001

_CHUNK_BYTES = 2**18


@contextmanager
def at_a_distance(url: str) -> Iterator[str]:
    """The address by which a server on 127.0.0.1 is reached with ROUND_TRIP_SECONDS more to each answer."""
    parts = urlsplit(url)
    with open_child_server(__name__, str(parts.port)) as port:
        yield parts._replace(netloc=parts.netloc.replace(str(parts.port), str(port))).geturl()


def _serve(server_port: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, server_port), daemon=True).start()
    sys.stdin.read()  # until whoever started us is done, or dead


def _accept(listener: socket.socket, server_port: int) -> None:
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", server_port))
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for ends in ((client, server), (server, client)):
            threading.Thread(target=_pass, args=ends, daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(_CHUNK_BYTES):
            time.sleep(ROUND_TRIP_SECONDS / 2)
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()  # one end is gone, which the other is to learn


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
