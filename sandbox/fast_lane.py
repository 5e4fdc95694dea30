"""A short way for DynamoDB and Kinesis, past ministack's routing, which is a third of what a PutItem costs.

ministack asks of each request whether it is for a website, a load balancer, S3 by host name and dozens more.
The target header of these two services says it at once. What matters of the long way is kept: the account and
region of the request, the request id, streaming answers. A ministack that looks at the target first lets this
go.
"""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sandbox.asgi import read_body, respond
from sandbox.emulator import Application, Emulator, Message, Receive, Send
from sandbox.wire import error

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/")

Handle = Callable[..., Awaitable[tuple[int, dict[str, str], object]]]


@dataclass(frozen=True, slots=True)
class FastLane:
    """Hands requests to ministack's handlers by the service in their target; all others go the long way."""

    emulator: Emulator
    handlers: Mapping[str, Handle]

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.emulator.application(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        handle = self.handlers.get(headers.get("x-amz-target", "").partition("_")[0])
        credential = CREDENTIAL.search(headers.get("authorization", ""))
        if handle is None or credential is None or "content-encoding" in headers:
            await self.emulator.application(scope, receive, send)
            return
        self.emulator.responses["set_request_account_id"](credential[1])
        self.emulator.responses["set_request_region"](credential[2])
        body = await read_body(receive)
        try:
            status, answered, answer = await handle(scope["method"], scope["path"], headers, body, {})
        except Exception:  # as ministack's own dispatch: a client gets an answer whatever happens
            logging.getLogger(__name__).exception("%s failed", headers["x-amz-target"])
            status, answered, answer = error(500, "InternalFailure", "The sandbox failed; its log says why.")
        answered["x-amzn-requestid"] = str(uuid.uuid4())
        if isinstance(answer, bytes):
            await respond(send, (status, answered, answer))
        else:
            await self.emulator.stream(send, receive, status, answered, answer)


def with_fast_lane(emulator: Emulator) -> Application:
    """Return ministack's application with the short way before it."""
    handlers = {
        "DynamoDB": emulator.dynamodb["handle_request"],
        "Kinesis": emulator.kinesis["handle_request"],
    }
    return FastLane(emulator, handlers).serve
