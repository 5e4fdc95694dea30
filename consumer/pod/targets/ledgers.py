"""Whose a DynamoDB ledger is: kept in an item of its own, and held against the settings at each start.

item    S   OWNER_KEY, which no entry can have
owner   M   application, processor, kind (projection, aggregate), fingerprint, table, and key (a list): whose
            entries they are, and of which rows they tell

AWS API references used: BatchGetItem, PutItem, Scan (Amazon DynamoDB).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkpoint.api import Api
from consumer.errors import SettingsError, Unavailable
from consumer.processors.base import fingerprint
from consumer.processors.ledger.entry import KEY, LONGEST_IDENTITY
from consumer.settings.context import TableFacts
from consumer.settings.model import Processor
from consumer.settings.moved import moved

OWNER_KEY = "whose ledger this is".ljust(LONGEST_IDENTITY + 1, ".")
"""Longer than an entry's key can be."""

_DENIED = "AccessDeniedException"
_FAILED = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True)
class Past:
    """What the application's own tables tell of it.

    Attributes:
        processors: that it has run with.
        rebuilds: the applications that built what its processors were cut over to.
    """

    processors: frozenset[str] = frozenset()
    rebuilds: frozenset[str] = frozenset()


NO_PAST = Past()
"""Of an application that never ran."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a ledger is.

    Attributes:
        application: its name.
        processor: its name.
        kind: what the entries hold: rows' digests, or parts of sums.
        fingerprint: of the processor's settings, with the table and ledger that it writes to.
        table: the read model's.
        key: the names of a row's key, in the order in which the entries have its values.
    """

    application: str
    processor: str
    kind: str
    fingerprint: str
    table: str
    key: tuple[str, ...]

    @property
    def rows(self) -> str:
        """Of which rows the entries tell, for people."""
        what = "rows" if self.kind == "projection" else "sums"
        return f"{what} in table {self.table!r} by {', '.join(self.key)}"


def owner_of(application: str, processor: Processor, target: TableFacts) -> Owner:
    """Whose the ledger of a processor's target has to be."""
    as_it_writes = moved(processor, target.name, target.ledger)
    aggregate = processor.aggregate
    return Owner(
        application=application,
        processor=processor.name,
        kind=processor.kind,
        fingerprint=fingerprint(as_it_writes),
        table=target.name,
        key=target.keys if aggregate is None else tuple(aggregate.group_by),
    )


def stranger(found: Owner | None, ours: Owner, past: Past) -> str | None:
    """Why a ledger, even one without entries, can't be this processor's; None: nobody else has begun with it.

    Each of two would take for its own what the other has written since, and its rows would lack that.
    """
    if found is None or (
        found.processor == ours.processor and found.application in (ours.application, *past.rebuilds)
    ):
        return None
    return (
        f"it belongs to processor {found.processor!r} of application {found.application!r}; set `ledger` to"
        " another name, and take another table; or, if that one is gone, delete the ledger together with its"
        " rows"
    )


def refusal(found: Owner | None, ours: Owner, past: Past, *, starts_here: bool) -> str | None:
    """Why a ledger that has entries, and is no stranger's, can't be this processor's; None: it can.

    Args:
        found: whose it says it is; None: it was made before ledgers said so.
        ours: whose it should be.
        past: the application's.
        starts_here: whether changes from here on are enough.
    """
    rebuild = (
        f"run `tidemark rebuild --processor {ours.processor}` with these settings, then `tidemark cutover`"
    )
    if found is None:
        if ours.processor in past.processors and not starts_here:
            return None  # the application's own tables vouch for its settings
        return (
            "it has entries and does not say whose they are, since an earlier version made it. If they are"
            " this processor's, start it once in its own application, without `start_here`, by the settings"
            " it ran with; else set `ledger` to another name, or delete it together with its rows"
        )
    if found.rows != ours.rows:
        return f"its entries tell of {found.rows}, and not of {ours.rows}; set that back, or {rebuild}"
    is_ours = found.application == ours.application  # a rebuild's was looked at by the cut-over
    if is_ours and found.fingerprint != ours.fingerprint and not starts_here:
        return (
            f"it was filled by other settings of this processor; {rebuild}; or set `start_here: true`, if"
            " changes from here on are enough"
        )
    return None


class Ledger:
    """One ledger's table, which is there."""

    def __init__(self, dynamodb: Api, name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    async def problem(self, ours: Owner, past: Past, *, starts_here: bool) -> str | None:
        """Why it can't be the processor's; None: it can. Changes nothing.

        Raises:
            Unavailable: it can't be looked at now.
        """
        return (await self._look(ours, past, starts_here=starts_here))[1]

    async def keep(self, ours: Owner, past: Past, *, starts_here: bool) -> None:
        """Write down whose it is, before anything else is written there.

        Raises:
            SettingsError: it is another's.
            Unavailable: it can't be done now; all of it may be done again.
        """
        found, problem = await self._look(ours, past, starts_here=starts_here)
        if problem is not None:
            raise SettingsError(f"processors.{ours.processor}: {problem}")
        if found == ours:
            return
        request: dict[str, Any] = {
            "TableName": self._name,
            "Item": {KEY: {"S": OWNER_KEY}, "owner": _to_attribute(ours)},
            "ConditionExpression": "attribute_not_exists(#owner)" if found is None else "#owner = :found",
            "ExpressionAttributeNames": {"#owner": "owner"},
        }
        if found is not None:
            request["ExpressionAttributeValues"] = {":found": _to_attribute(found)}
        answer = await self._dynamodb.call("PutItem", request, expect=(_FAILED,))
        # Pods that start together both write it, and an answer that was lost is asked for again.
        if answer.error is not None and await self._read() != ours:
            message = f"another pod has just begun with ledger table {self._name!r}"
            raise Unavailable(message, code="LedgerChanged")

    async def _look(self, ours: Owner, past: Past, *, starts_here: bool) -> tuple[Owner | None, str | None]:
        """Whose it says it is, and what is wrong with that."""
        found: Owner | None = None
        try:
            found = await self._read()
            if found == ours:
                return found, None
            problem = stranger(found, ours, past)
            if problem is None and await self._has_entries():
                problem = refusal(found, ours, past, starts_here=starts_here)
        except _DeniedError as denied:
            problem = f"not allowed to look whose it is; allow dynamodb:{denied} on it"
        return found, None if problem is None else f"ledger table {self._name!r}: {problem}"

    async def _read(self) -> Owner | None:
        keys = {"Keys": [{KEY: {"S": OWNER_KEY}}], "ConsistentRead": True}
        body = await self._asked("BatchGetItem", {"RequestItems": {self._name: keys}})
        if body.get("UnprocessedKeys"):
            raise Unavailable(f"DynamoDB leaves table {self._name!r} unread", code="UnprocessedKeys")
        items = body.get("Responses", {}).get(self._name, ())
        return _from_attribute(items[0]["owner"]) if items else None

    async def _has_entries(self) -> bool:
        body = await self._asked("Scan", {"TableName": self._name, "ConsistentRead": True, "Limit": 2})
        return any(item[KEY]["S"] != OWNER_KEY for item in body["Items"])

    async def _asked(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self._dynamodb.call(operation, request, expect=(_DENIED,))
        if answer.error == _DENIED:
            raise _DeniedError(operation)
        return answer.body


class _DeniedError(Exception):
    """The operation is not allowed."""


def _to_attribute(owner: Owner) -> dict[str, Any]:
    return {
        "M": {
            "application": {"S": owner.application},
            "processor": {"S": owner.processor},
            "kind": {"S": owner.kind},
            "fingerprint": {"S": owner.fingerprint},
            "table": {"S": owner.table},
            "key": {"L": [{"S": name} for name in owner.key]},
        }
    }


def _from_attribute(attribute: Mapping[str, Any]) -> Owner:
    parts = attribute["M"]
    texts = {name: parts[name]["S"] for name in ("application", "processor", "kind", "fingerprint", "table")}
    return Owner(**texts, key=tuple(name["S"] for name in parts["key"]["L"]))
