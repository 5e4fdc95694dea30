"""The client's side of the sandbox's own requests (control.py)."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sandbox.errors import SandboxError

TIMEOUT_SECONDS = 10.0


def call(endpoint: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Make a request of /_sandbox{path} with a JSON body, and return the JSON answered.

    Raises SandboxError with what the sandbox finds wrong with it, URLError where no sandbox answers.
    """
    request = Request(  # noqa: S310 - the endpoint is a sandbox's, http on loopback
        f"{endpoint}/_sandbox{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
    except HTTPError as error:
        with error:
            raise SandboxError(f"{method} {path}: {json.load(error)['message']}") from None
    return answer
