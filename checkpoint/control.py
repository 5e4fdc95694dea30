"""The control row: which processors stand still for a cut-over, and which model each writes to since.

One row of the positions table, `control`, with an attribute `processor/<name>` for each processor that was
ever cut over, and a row `table/<name>` for each that readers find through it:

    live, generation n --begin--> stop --swap--> swapping --finish--> live, generation n + 1
              ^                    |    (stores without transactions over both tables)
              '-----take back------'

Every step is one conditional write, so that of two cut-overs one wins, and a step done twice is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from checkpoint.api import Api
from checkpoint.positions import PROCESSORS, SUFFIX
from checkpoint.tables import Item, find_item

Phase = Literal["live", "stop", "swapping"]

_KEY: Item = {"key": {"S": "control"}}
_MOST_EARLIER = 16
_FAILED = "ConditionalCheckFailedException"
_CANCELED = "TransactionCanceledException"


@dataclass(frozen=True, slots=True)
class Control:
    """What one processor has to do.

    Attributes:
        phase: live: write. stop: write nothing, and say so. swapping: the same, and there is no way back.
        generation: how often it was cut over; a process built for another one writes nothing.
        token: of the cut-over under way, or the last one; another for each.
        since: whole Unix seconds of the phase's begin.
        into: what the new model was built as.
        application: the rebuild's own.
        fingerprint: of the settings that the model is made by; None before the first cut-over.
        earlier: those of the models that it took the place of, the last one last; None: nobody knows, for an
            earlier version has cut over.
    """

    phase: Phase = "live"
    generation: int = 0
    token: str = ""
    since: int = 0
    into: str = ""
    application: str = ""
    fingerprint: str | None = None
    earlier: tuple[str, ...] | None = None

    def succeeding(self, known: str | None, now: str) -> tuple[str, ...]:
        """`earlier` of a cut-over from the settings that the application runs with, to those `now`."""
        before = [*(self.earlier or ()), *([] if known is None else [known])]
        return tuple(dict.fromkeys(each for each in before if each != now))[-_MOST_EARLIER:]


@dataclass(frozen=True, slots=True)
class Pointer:
    """The DynamoDB tables of a processor that was cut over; `ledger` where it has one."""

    table: str
    ledger: str | None


NEVER = Control()
"""Of a processor that was never cut over."""


class Controls:
    """The control row of one application."""

    def __init__(self, api: Api, application: str) -> None:
        self._api = api
        self._table = application + SUFFIX

    async def read(self) -> dict[str, Control]:
        """Those of all processors that have one; read consistently."""
        item = await find_item(self._api, self._table, _KEY) or {}
        return {
            name.removeprefix("processor/"): _control(value["M"])
            for name, value in item.items()
            if name.startswith("processor/")
        }

    async def read_pointers(self, names: list[str]) -> dict[str, Pointer]:
        """Where the processors' tables are, of those that were cut over to another."""
        found: dict[str, Pointer] = {}
        for name in names:
            item = await find_item(self._api, self._table, _pointer_key(name))
            if item is not None:
                ledger = item.get("ledger")
                found[name] = Pointer(item["table"]["S"], ledger["S"] if ledger else None)
        return found

    async def change(self, name: str, was: Control, now: Control) -> bool:
        """Replace what was read; False: it is something else by now."""
        request = {"TableName": self._table, "Key": _KEY, **_update(name, was, now)}
        answer = await self._api.call("UpdateItem", request, expect=(_FAILED,))
        # An answer that was lost is asked for again, and then its own write is in the way.
        return answer.error is None or (await self.read()).get(name) == now

    async def finish(self, name: str, was: Control, *, at: int, pointer: Pointer | None) -> bool:
        """Let the processor live on the new model, in one transaction with what readers go by.

        False: the control is something else by now than what was read.
        """
        now = replace(was, phase="live", generation=was.generation + 1, since=at)
        writes: list[dict[str, Any]] = [
            {"Update": {"TableName": self._table, "Key": _KEY, **_update(name, was, now)}},
            {
                "Update": {
                    "TableName": self._table,
                    "Key": {"key": {"S": PROCESSORS}},
                    "UpdateExpression": "SET fingerprints.#name = :fingerprint",
                    "ExpressionAttributeNames": {"#name": name},
                    "ExpressionAttributeValues": {":fingerprint": {"S": was.fingerprint or ""}},
                }
            },
        ]
        if pointer is not None:
            item: Item = {**_pointer_key(name), "table": {"S": pointer.table}}
            if pointer.ledger is not None:
                item["ledger"] = {"S": pointer.ledger}
            writes.append({"Put": {"TableName": self._table, "Item": item}})
        request = {"TransactItems": writes}
        answer = await self._api.call("TransactWriteItems", request, expect=(_CANCELED,))
        return answer.error is None or (await self.read()).get(name) == now


def _pointer_key(name: str) -> Item:
    return {"key": {"S": f"table/{name}"}}


def _update(name: str, was: Control, now: Control) -> dict[str, Any]:
    values: dict[str, Any] = {":now": {"M": _item(now)}}
    if was != NEVER:
        values[":was"] = {"M": _item(was)}
    return {
        "UpdateExpression": "SET #name = :now",
        "ConditionExpression": "attribute_not_exists(#name)" if was == NEVER else "#name = :was",
        "ExpressionAttributeNames": {"#name": f"processor/{name}"},
        "ExpressionAttributeValues": values,
    }


def _item(control: Control) -> Item:
    item: Item = {
        "phase": {"S": control.phase},
        "generation": {"N": str(control.generation)},
        "token": {"S": control.token},
        "since": {"N": str(control.since)},
        "into": {"S": control.into},
        "application": {"S": control.application},
    }
    if control.fingerprint is not None:
        item["fingerprint"] = {"S": control.fingerprint}
    if control.earlier is not None:
        item["earlier"] = {"L": [{"S": each} for each in control.earlier]}
    return item


def _control(item: Mapping[str, Any]) -> Control:
    return Control(
        phase=cast("Phase", item["phase"]["S"]),
        generation=int(item["generation"]["N"]),
        token=item["token"]["S"],
        since=int(item["since"]["N"]),
        into=item["into"]["S"],
        application=item["application"]["S"],
        fingerprint=item["fingerprint"]["S"] if "fingerprint" in item else None,
        earlier=tuple(each["S"] for each in item["earlier"]["L"]) if "earlier" in item else None,
    )
