"""The ledger's table, and transactions with it."""

from collections.abc import Mapping
from typing import Any

import pytest

from consumer.attributes import NO_IMAGE_DIGEST
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import ProcessorTools
from consumer.processors.gate import LATE_SECONDS, Stamp
from consumer.processors.ledger.dynamodb import LedgerTable
from consumer.processors.ledger.entry import NOTHING, Entry
from consumer.processors.ledger.transactions import Transactions, action
from consumer.record import Version
from tests.support.dynamodb_expressions import OVERFLOW
from tests.support.in_memory_dynamodb import CANCELLED, Answer, InMemoryDynamoDB, Table

LEDGER = "view-ledger"
NOW = 1_700_000_000.9


class Conflicts:
    """Counts what the tools are told."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self) -> None:
        self.seen += 1


@pytest.fixture
def conflicts() -> Conflicts:
    return Conflicts()


@pytest.fixture
def tools(conflicts: Conflicts) -> ProcessorTools:
    return ProcessorTools(clock=lambda: NOW, uniform=lambda: 0.0, on_conflict=conflicts)


def ledger_of(dynamodb: InMemoryDynamoDB, tools: ProcessorTools) -> LedgerTable:
    return LedgerTable(dynamodb, LEDGER, tombstone_seconds=100.0, tools=tools)


def entry(number: int, holds: Mapping[str, str] | None = None, digest: str = "one") -> Entry:
    return Entry(Stamp(Version(5), digest, number), dict(holds or {}))


class Answers:
    """A DynamoDB that says what it is told to, one answer a call, the last one for ever."""

    def __init__(self, *answers: Answer | Rejected) -> None:
        self._answers = list(answers)
        self.calls = 0

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        self.calls += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Rejected):
            raise answer
        assert answer.error is None or answer.error in expect
        return answer


def cancelled(*reasons: tuple[str, str]) -> Answer:
    told = [{"Code": code, "Message": message} for code, message in reasons]
    return Answer({"CancellationReasons": told}, CANCELLED)


DONE = Answer({}, None)
NONE = ("None", "")


@pytest.mark.parametrize("keys_read", [100, 30])
async def test_any_number_of_entries_is_read_in_their_order(tools: ProcessorTools, keys_read: int) -> None:
    dynamodb = InMemoryDynamoDB({LEDGER: Table("item")}, keys_read=keys_read)
    ledger, transactions = ledger_of(dynamodb, tools), Transactions(dynamodb, tools)
    written = {f"item-{number}": entry(1, {"row": str(number)}) for number in range(0, 250, 3)}
    for item, each in written.items():
        assert await transactions.carry_out([ledger.put(item, each, NOTHING)]) is None

    items = [f"item-{number}" for number in range(250)]

    assert await ledger.read(items) == [written.get(item, NOTHING) for item in items]


async def test_keys_that_are_never_read_are_an_outage(tools: ProcessorTools) -> None:
    left = {LEDGER: {"Keys": [{"item": {"S": "a"}}], "ConsistentRead": True}}
    answers = Answers(Answer({"Responses": {}, "UnprocessedKeys": left}, None))
    with pytest.raises(Unavailable) as caught:
        await LedgerTable(answers, LEDGER, tombstone_seconds=1.0, tools=tools).read(["a"])
    assert caught.value.code == "UnprocessedKeys"


@pytest.mark.parametrize(
    ("there", "as_read"),
    [
        pytest.param(NOTHING, entry(1), id="gone"),
        pytest.param(entry(1), NOTHING, id="new"),
        pytest.param(entry(2), entry(1), id="written once more"),
        pytest.param(entry(1), entry(1, digest="two"), id="of another digest"),
    ],
)
async def test_an_entry_is_written_over_nothing_but_what_was_read(
    tools: ProcessorTools, there: Entry, as_read: Entry
) -> None:
    dynamodb = InMemoryDynamoDB({LEDGER: Table("item")})
    ledger, transactions = ledger_of(dynamodb, tools), Transactions(dynamodb, tools)
    if there is not NOTHING:
        assert await transactions.carry_out([ledger.put("a", there, NOTHING)]) is None
    after = entry(9, {"row": "new"})

    refused = await transactions.carry_out([ledger.put("a", after, as_read)])

    assert refused is not None
    assert await ledger.read(["a"]) == [there]
    assert await transactions.carry_out([ledger.put("a", after, there)]) is None
    assert await ledger.read(["a"]) == [after]


async def test_a_tombstone_outlives_every_late_change(tools: ProcessorTools) -> None:
    table = Table("item")
    dynamodb = InMemoryDynamoDB({LEDGER: table})
    gone = entry(1, digest=NO_IMAGE_DIGEST)
    await Transactions(dynamodb, tools).carry_out([ledger_of(dynamodb, tools).put("a", gone, NOTHING)])
    row = table.row(item="a")
    assert row is not None
    assert row["expires"] == {"N": str(int(NOW + 100.0 + LATE_SECONDS))}


async def test_a_refused_action_is_told_with_what_stands_there(tools: ProcessorTools) -> None:
    table = Table("id")
    table.put({"id": {"S": "there"}})
    dynamodb = InMemoryDynamoDB({"t": table})

    def absent(name: str) -> bytes:
        item = {"id": {"S": name}}
        return action(
            "Put", {"TableName": "t", "Item": item, "ConditionExpression": "attribute_not_exists(id)"}
        )

    refused = await Transactions(dynamodb, tools).carry_out([absent("new"), absent("there")])

    assert refused is not None
    assert refused[0] is None
    assert refused[1] is not None
    assert refused[1].item == {"id": {"S": "there"}}


async def test_a_conflict_with_another_transaction_passes(
    tools: ProcessorTools, conflicts: Conflicts
) -> None:
    conflict = cancelled(NONE, ("TransactionConflict", "Transaction is ongoing for the item"))
    answers = Answers(conflict, conflict, DONE)
    assert await Transactions(answers, tools).carry_out([b"{}", b"{}"]) is None
    assert (answers.calls, conflicts.seen) == (3, 2)


@pytest.mark.parametrize(
    ("reasons", "of_item"),
    [
        pytest.param([("TransactionConflict", "ongoing"), NONE], True, id="conflict"),
        pytest.param([("ThrottlingError", "slow down"), NONE], False, id="throttled"),
        pytest.param([("TransactionConflict", "x"), ("ThrottlingError", "y")], False, id="both"),
        pytest.param([("SomethingNew", "?"), ("NONE", "")], False, id="unknown"),
    ],
)
async def test_what_does_not_pass_is_waited_for_by_the_item_or_by_all(
    tools: ProcessorTools, conflicts: Conflicts, reasons: list[tuple[str, str]], *, of_item: bool
) -> None:
    answers = Answers(cancelled(*reasons))
    with pytest.raises(Unavailable) as caught:
        await Transactions(answers, tools).carry_out([b"{}", b"{}"])
    assert caught.value.of_item is of_item
    assert answers.calls > 1
    assert conflicts.seen == (answers.calls if "TransactionConflict" in dict(reasons) else 0)


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_a_sum_that_dynamodb_cannot_hold_is_told_by_its_own_code(
    tools: ProcessorTools, *, is_cancelled: bool
) -> None:
    refusal = Rejected(f"dynamodb TransactWriteItems: {OVERFLOW}", code="ValidationException")
    answers = Answers(cancelled(NONE, ("ValidationError", OVERFLOW)) if is_cancelled else refusal)
    with pytest.raises(Rejected) as caught:
        await Transactions(answers, tools).carry_out([b"{}", b"{}"])
    assert caught.value.code == "NumberOverflow"
    assert answers.calls == 1


@pytest.mark.parametrize(
    ("message", "by_store"),
    [
        ("Item size to update has exceeded the maximum allowed size", False),
        ("An operand in the update expression has an incorrect data type", True),
    ],
)
async def test_what_no_other_try_would_change_is_the_records_fault(
    tools: ProcessorTools, message: str, *, by_store: bool
) -> None:
    answers = Answers(cancelled(("ValidationError", message), ("TransactionConflict", "x")))
    with pytest.raises(Rejected, match=message) as caught:
        await Transactions(answers, tools).carry_out([b"{}", b"{}"])
    assert (caught.value.code, caught.value.by_store) == ("ValidationException", by_store)
    assert answers.calls == 1


async def test_a_cancelled_transaction_without_a_reason_is_an_outage(tools: ProcessorTools) -> None:
    with pytest.raises(Unavailable):
        await Transactions(Answers(Answer({"message": "?"}, CANCELLED)), tools).carry_out([b"{}"])
