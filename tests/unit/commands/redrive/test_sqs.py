"""Letters of a queue: what SQS may do, with a client that says what a test wants."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from consumer.commands.redrive.sqs import QueueLetters
from consumer.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/letters"


def message(key: str, receipt: int = 1) -> dict[str, str]:
    return {"MessageId": key, "ReceiptHandle": f"{key}-{receipt}", "Body": f"body of {key}"}


@dataclass(slots=True)
class Queue:
    """Answers receives from a list, and writes down the rest. `failures`: code by receipt handle."""

    receives: list[list[dict[str, str]] | Exception]
    failures: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    hidden: list[tuple[str, int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def receive_message(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's
        self.asked.append(request["MaxNumberOfMessages"])
        answer = self.receives.pop(0) if self.receives else []
        if isinstance(answer, Exception):
            raise answer
        return {"Messages": answer} if answer else {}

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's
        return self._batch(request["Entries"], lambda entry: self.deleted.append(entry["ReceiptHandle"]))

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's
        return self._batch(
            request["Entries"],
            lambda entry: self.hidden.append((entry["ReceiptHandle"], entry["VisibilityTimeout"])),
        )

    def _batch(self, entries: Sequence[dict[str, Any]], carry_out: Any) -> dict[str, Any]:  # noqa: ANN401 - a lambda
        assert len(entries) <= 10
        done, failed = [], []
        for entry in entries:
            code = self.failures.get(entry["ReceiptHandle"])
            if code is None:
                carry_out(entry)
                done.append({"Id": entry["Id"]})
            else:
                failed.append({"Id": entry["Id"], "Code": code, "SenderFault": True})
        return {"Successful": done, "Failed": failed}


class Renewals:
    """The moments at which what is held is renewed."""

    def __init__(self) -> None:
        self._due = asyncio.Semaphore(0)
        self._asked: asyncio.Queue[None] = asyncio.Queue()

    async def pause(self, _seconds: float) -> None:
        self._asked.put_nowait(None)
        await self._due.acquire()

    async def one(self) -> None:
        """Let one be carried out."""
        await self._asked.get()
        self._due.release()
        await self._asked.get()
        self._asked.put_nowait(None)


def letters_of(queue: Queue, renewals: Renewals | None = None) -> QueueLetters:
    return QueueLetters(cast("SQSClient", queue), URL, (renewals or Renewals()).pause)


def denied(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ReceiveMessage")


async def test_a_message_that_is_received_twice_is_one_letter_deleted_by_its_last_receipt() -> None:
    queue = Queue([[message("a"), message("b")], [message("a", 2)]])
    letters = letters_of(queue)
    found = await letters.take(50)

    assert await letters.take(50) == []
    assert await letters.remove(found) == []

    assert [entry.key for entry in found] == ["a", "b"]
    assert queue.deleted == ["a-2", "b-1"]


async def test_a_message_that_comes_back_after_it_was_deleted_is_deleted_again() -> None:
    queue = Queue([[message("a")], [message("a", 2)]])
    letters = letters_of(queue)
    await letters.remove(await letters.take(50))

    assert await letters.take(50) == []
    assert queue.deleted == ["a-1", "a-2"]


async def test_a_message_is_not_taken_for_deleted_where_somebody_else_than_sqs_answered() -> None:
    class Stranger(Queue):
        def delete_message_batch(self, **_: object) -> dict[str, Any]:
            return {}

    queue = Stranger([[message("a")]])
    letters = letters_of(queue)
    found = await letters.take(50)
    with pytest.raises(Unavailable, match="does not say what became of each message"):
        await letters.remove(found)
    await letters.close()
    assert queue.hidden == [("a-1", 0)]


async def test_what_stays_is_shown_again_at_the_end_in_batches_of_ten() -> None:
    keys = [f"m{number}" for number in range(25)]
    queue = Queue([[message(key) for key in keys[:10]], [message(key) for key in keys[10:20]], [], [], []])
    letters = letters_of(queue)
    found = await letters.take(50)
    await letters.remove(found[:3])
    await letters.close()

    assert queue.hidden == [(f"{entry.key}-1", 0) for entry in found[3:]]


async def test_what_is_held_is_kept_from_others_for_as_long_as_the_run_takes() -> None:
    queue, renewals = Queue([[message("a"), message("b")]]), Renewals()
    letters = letters_of(queue, renewals)
    found = await letters.take(50)
    await renewals.one()
    await letters.remove(found[:1])
    await renewals.one()
    await letters.close()

    assert queue.hidden == [("a-1", 300), ("b-1", 300), ("b-1", 300), ("b-1", 0)]


async def test_no_more_is_received_than_was_asked_for() -> None:
    queue = Queue([[message(f"m{number}") for number in range(10)]])
    await letters_of(queue).take(23)

    assert sorted(queue.asked) == [3, 10, 10]


async def test_what_some_receives_bring_is_kept_though_others_fail() -> None:
    first, second = ([message(f"{name}{number}") for number in range(10)] for name in "ab")
    queue = Queue([first, denied("InternalError"), second])
    found = await letters_of(queue).take(30)

    assert len(found) == 20


async def test_a_deletion_that_fails_is_tried_again_with_what_is_left_of_it() -> None:
    queue = Queue([[message("a"), message("b")]], {"b-1": "InternalError"})
    letters = letters_of(queue)
    found = await letters.take(50)
    with pytest.raises(Unavailable, match="InternalError"):
        await letters.remove(found)
    queue.failures.clear()

    assert await letters.remove(found) == []
    assert queue.deleted == ["a-1", "b-1"]


async def test_a_message_whose_receipt_is_over_is_left_to_the_next_redrive() -> None:
    queue = Queue([[message("a"), message("b")]], {"b-1": "ReceiptHandleIsInvalid"})
    letters = letters_of(queue)
    found = await letters.take(50)

    assert await letters.remove(found) == [found[1]]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", SettingsError),
        ("AWS.SimpleQueueService.NonExistentQueue", SettingsError),
        ("InternalError", Unavailable),
    ],
)
async def test_only_what_waiting_may_mend_is_waited_for(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=code):
        await letters_of(Queue([denied(code)])).take(50)
