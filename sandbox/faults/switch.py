"""The switch: the faults that are on, the dice, and the ASGI middleware that lets faults strike requests."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.asgi import read_body, respond
from sandbox.emulator import Application, Message, Receive, Send
from sandbox.faults import answers
from sandbox.faults.fault import RECORD_KINDS, Fault
from sandbox.faults.request import AwsRequest, names_of
from sandbox.wire import Response

ANSWERS: dict[str, Callable[[AwsRequest], Response]] = {
    "throttle": answers.throttled,
    "fail": answers.failed,
    "lose_answer": answers.failed,
    "reject": answers.rejected,
    "conflict": answers.conflicting,
}


@dataclass(slots=True)
class Rule:
    """A fault that is on: when it ends by itself, and how often it struck."""

    fault: Fault
    ends_at: float | None
    strikes: int = 0


@dataclass(frozen=True, slots=True)
class FaultSwitch:
    """The faults that are on. `clock` is monotonic seconds; `dice` decides by each fault's rate."""

    clock: Callable[[], float]
    dice: random.Random
    _rules: dict[str, Rule] = field(default_factory=dict)

    def add(self, fault: Fault) -> str:
        """Turn a fault on and return its id."""
        fault_id = f"fault-{self.dice.getrandbits(48):012x}"
        self._rules[fault_id] = Rule(
            fault, self.clock() + fault.seconds if fault.seconds is not None else None
        )
        return fault_id

    def remove(self, fault_id: str) -> None:
        """Turn a fault off; one that is off stays off."""
        self._rules.pop(fault_id, None)

    def clear(self) -> None:
        """Turn all faults off."""
        self._rules.clear()

    def rules(self) -> dict[str, Rule]:
        """Return the faults that are on, by id, oldest first."""
        now = self.clock()
        for fault_id, rule in list(self._rules.items()):
            if rule.ends_at is not None and rule.ends_at <= now:
                del self._rules[fault_id]
        return dict(self._rules)

    def strike_record(self, table: str, stream_arn: str) -> list[Fault]:
        """Return the faults that strike a record on its way from a table into a stream."""
        rules = [rule for rule in self.rules().values() if rule.fault.kind in RECORD_KINDS]
        if not rules:
            return []
        names = frozenset({table, *names_of(stream_arn)})
        return self._struck([rule for rule in rules if rule.fault.matches(names)])

    def strike_request(self, request: AwsRequest) -> list[Fault]:
        """Return the faults that strike a request."""
        service, operation = request.service, request.operation
        rules = [rule for rule in self.rules().values() if rule.fault.concerns(service, operation)]
        if not rules:
            return []
        names = request.resources()
        return self._struck([rule for rule in rules if rule.fault.matches(names)])

    def _struck(self, rules: list[Rule]) -> list[Fault]:
        struck = [rule for rule in rules if self.dice.random() < rule.fault.rate]
        for rule in struck:
            rule.strikes += 1
        return [rule.fault for rule in struck]


def with_faults(application: Application, switch: FaultSwitch) -> Application:
    """Let faults strike the requests for an application. Without a fault that is on, nothing is looked at."""

    async def faulty(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not switch.rules():
            await application(scope, receive, send)
            return
        request = AwsRequest(
            method=scope["method"],
            path=scope["path"],
            headers={
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
            },
            body=await read_body(receive),
        )
        struck = switch.strike_request(request)
        await asyncio.sleep(sum(fault.delay_seconds for fault in struck if fault.kind == "delay"))
        replayed = _replay(request.body, receive)
        fault = next((fault for fault in struck if fault.kind != "delay"), None)
        if fault is None:
            await application(scope, replayed, send)
            return
        if fault.kind == "lose_answer":
            await application(scope, replayed, _discard)
        answer = ANSWERS.get(fault.kind)
        await respond(send, answer(request) if answer else answers.down(scope["http_version"]))

    return faulty


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _discard(_message: Message) -> None:
    return
