"""The sandbox's own requests, under /_sandbox: the fault switch, and trimming a stream.

GET    /_sandbox/faults      -> {"faults": [{"id", "fault", "strikes"}]}
POST   /_sandbox/faults      a fault (faults/fault.py) -> {"id"}
DELETE /_sandbox/faults[/ID] all, or one -> {}
POST   /_sandbox/trim        {"stream", "shard"?, "before_sequence_number" | "all"} -> {"dropped"}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import orjson

from sandbox.asgi import read_body, respond
from sandbox.emulator import Application, Message, Receive, Send
from sandbox.faults.fault import Fault
from sandbox.faults.switch import FaultSwitch
from sandbox.wire import Payload, RefusedError, Request, Response

PREFIX = "/_sandbox/"


@dataclass(frozen=True, slots=True)
class Control:
    """Answers the sandbox's own requests. `trim` is Kinesis's."""

    switch: FaultSwitch
    trim: Callable[[Request], Payload]

    def answer(self, method: str, path: str, body: bytes) -> Response:
        """Carry out a request: 200, 400 with what is wrong with it, or 404."""
        place, _, name = path.removeprefix(PREFIX).partition("/")
        handle = self._handlers().get((method, place, bool(name)))
        if handle is None:
            return _answer(404, {"message": f"There is no {method} {path}."})
        try:
            return _answer(200, handle(name, body))
        except (RefusedError, msgspec.MsgspecError) as error:
            return _answer(400, {"message": str(error)})

    def _handlers(self) -> Mapping[tuple[str, str, bool], Callable[[str, bytes], Payload]]:
        """Return what answers: by method, place, and whether a name follows."""
        return {
            ("GET", "faults", False): lambda _name, _body: self._list(),
            ("POST", "faults", False): lambda _name, body: self._add(body),
            ("DELETE", "faults", False): lambda _name, _body: self._clear(),
            ("DELETE", "faults", True): lambda name, _body: self._remove(name),
            ("POST", "trim", False): lambda _name, body: self.trim(msgspec.json.decode(body)),
        }

    def _list(self) -> Payload:
        return {
            "faults": [
                {"id": fault_id, "fault": msgspec.to_builtins(rule.fault), "strikes": rule.strikes}
                for fault_id, rule in self.switch.rules().items()
            ]
        }

    def _add(self, body: bytes) -> Payload:
        return {"id": self.switch.add(msgspec.json.decode(body, type=Fault))}

    def _remove(self, fault_id: str) -> Payload:
        self.switch.remove(fault_id)
        return {}

    def _clear(self) -> Payload:
        self.switch.clear()
        return {}


def with_control(application: Application, control: Control) -> Application:
    """Answer the sandbox's own requests before an application sees any."""

    async def controlled(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            body = await read_body(receive)
            await respond(send, control.answer(scope["method"], scope["path"], body))
        else:
            await application(scope, receive, send)

    return controlled


def _answer(status: int, payload: Payload) -> Response:
    return status, {"Content-Type": "application/json"}, orjson.dumps(payload)
