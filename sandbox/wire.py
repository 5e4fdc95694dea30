"""How our handlers answer: they return a payload or raise RefusedError."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sandbox.errors import SandboxError

Request = Mapping[str, Any]  # a request's JSON, as a client sent it
Payload = Mapping[str, object]
Response = tuple[int, dict[str, str], bytes]


class RefusedError(SandboxError):
    """A request is answered with an AWS error: its code, its message, HTTP 400."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def handler(handle: Callable[[Request], Payload]) -> Callable[[Request], Response]:
    """Give a function of ours the form of ministack's handlers."""

    def respond(request: Request) -> Response:
        try:
            return 200, {"Content-Type": "application/x-amz-json-1.1"}, orjson.dumps(handle(request))
        except RefusedError as refused:
            return error(400, refused.code, refused.message)

    return respond


def error(status: int, code: str, message: str) -> Response:
    """Make an error of the JSON protocols: the code stands in the body for boto3, in the header for Java."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
    return status, headers, orjson.dumps({"__type": code, "message": message})
