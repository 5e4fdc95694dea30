"""Reading requests and sending answers by ASGI."""

from sandbox.emulator import Receive, Send
from sandbox.wire import Response


async def read_body(receive: Receive) -> bytes:
    """Read a request's body whole."""
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def respond(send: Send, response: Response) -> None:
    """Send an answer."""
    status, headers, body = response
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})
