"""Letters in an SQS queue.

What is taken is kept from other receivers until it is removed, or given back at the end. Limits: Amazon SQS
Developer Guide, "Amazon SQS visibility timeout": 12 hours for one receipt, 120,000 messages in flight.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from consumer.commands.redrive.source import Found, asking
from consumer.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        MessageTypeDef,
    )

_AT_ONCE = 10
"""Messages of one call (Amazon SQS API Reference, "ReceiveMessage")."""

_HIDDEN_SECONDS = 300
_EXTEND_EVERY_SECONDS = 100.0
_WAIT_SECONDS = 1
"""A long poll asks all of SQS's servers, so that an empty answer means an empty queue."""

_NO_LONGER_OURS = frozenset({"InvalidParameterValue", "ReceiptHandleIsInvalid"})

_READ = "allow sqs:GetQueueAttributes and sqs:ReceiveMessage, and see that the queue is there"
_REMOVE = "allow sqs:DeleteMessage"


class QueueLetters:
    """The messages of one queue, each once a run, however often it is received."""

    def __init__(
        self,
        client: "SQSClient",
        url: str,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`pause`: waits so many seconds between two renewals of what is held."""
        self._client = client
        self._url = url
        self._pause = pause
        self._held: dict[str, str] = {}
        """Message id to its newest receipt handle."""
        self._removed: set[str] = set()
        self._holding: asyncio.Task[None] | None = None

    async def count(self) -> int:
        """About how many messages can be received now."""
        return await self._attribute("ApproximateNumberOfMessages")

    async def hidden(self) -> int:
        """About how many messages are held by other receivers, or were by one that has died."""
        return await self._attribute("ApproximateNumberOfMessagesNotVisible")

    async def take(self, most: int) -> list[Found]:
        """The next messages."""
        if self._holding is None:
            self._holding = asyncio.create_task(self._hold())
        while True:
            messages = await self._receive(min(_AT_ONCE, most))
            if len(messages) == _AT_ONCE:
                messages += await self._receive_more(most - _AT_ONCE)
            found = await self._new_ones(messages)
            if found or not messages:
                return found

    async def remove(self, found: Sequence[Found]) -> list[Found]:
        """Delete messages, by the handle of their last receipt."""
        lost: set[str] = set()
        for batch in _batches([entry.key for entry in found if entry.key in self._held]):
            lost.update(await self._delete(batch))
        return [entry for entry in found if entry.key in lost]

    async def close(self) -> None:
        """Show again what stays; where that fails, it shows itself some minutes later."""
        if self._holding is not None:
            self._holding.cancel()
        held = list(self._held)
        for batch in _batches(held):
            with suppress(Unavailable, SettingsError):
                await self._hide(batch, 0)
        self._held.clear()

    async def _attribute(
        self, name: Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    ) -> int:
        with asking(f"the queue {self._url} can't be looked at", _READ):
            answer = await asyncio.to_thread(
                self._client.get_queue_attributes, QueueUrl=self._url, AttributeNames=[name]
            )
        return int(answer["Attributes"][name])

    async def _new_ones(self, messages: "Sequence[MessageTypeDef]") -> list[Found]:
        found: list[Found] = []
        came_back: list[str] = []
        for message in messages:
            key, handle = message["MessageId"], message["ReceiptHandle"]
            if key in self._removed:  # a server that was away when it was deleted
                came_back.append(key)
            elif key not in self._held:
                found.append(Found(key, f"message {key}", message.get("Body", "").encode()))
            self._held[key] = handle
        for batch in _batches(came_back):
            with suppress(Unavailable, SettingsError):
                await self._delete(batch)
        return found

    async def _receive_more(self, most: int) -> "list[MessageTypeDef]":
        """As many calls side by side; where one fails, what the others brought must not be lost."""
        sizes = [min(_AT_ONCE, most - start) for start in range(0, most, _AT_ONCE)]
        answers = await asyncio.gather(*map(self._receive, sizes), return_exceptions=True)
        return [message for answer in answers if isinstance(answer, list) for message in answer]

    async def _receive(self, most: int) -> "list[MessageTypeDef]":
        with asking(f"the queue {self._url} can't be received from", _READ):
            answer = await asyncio.to_thread(
                self._client.receive_message,
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=_WAIT_SECONDS,
            )
        return answer.get("Messages", [])

    async def _delete(self, keys: Sequence[str]) -> list[str]:
        """Delete at most ten; gives those that are no longer ours to delete."""
        with asking(f"messages can't be deleted from the queue {self._url}", _REMOVE):
            answer = await asyncio.to_thread(
                self._client.delete_message_batch,
                QueueUrl=self._url,
                Entries=[{"Id": str(at), "ReceiptHandle": self._held[key]} for at, key in enumerate(keys)],
            )
        deleted, failures = answer.get("Successful", []), answer.get("Failed", [])
        for entry in deleted:
            key = keys[int(entry["Id"])]
            self._removed.add(key)
            del self._held[key]
        lost = self._lost(keys, failures)
        if len(deleted) + len(failures) < len(keys):  # boto3 takes any page of status 200 for an answer
            message = f"what answered for the queue {self._url} does not say what became of each message"
            raise Unavailable(message, code="NoReceipt")
        return lost

    def _lost(self, keys: Sequence[str], failures: "Sequence[BatchResultErrorEntryTypeDef]") -> list[str]:
        lost: list[str] = []
        for entry in failures:
            if entry["Code"] not in _NO_LONGER_OURS:
                message = f"a message can't be deleted from the queue {self._url}: {entry['Code']}"
                raise Unavailable(message, code=entry["Code"])
            lost.append(keys[int(entry["Id"])])
        return lost

    async def _hold(self) -> None:
        """Keep what is held from other receivers, for as long as it takes."""
        while True:
            await self._pause(_EXTEND_EVERY_SECONDS)
            for batch in _batches(list(self._held)):
                with suppress(Unavailable, SettingsError):  # shown again, it is received again, and known
                    await self._hide(batch, _HIDDEN_SECONDS)

    async def _hide(self, keys: Sequence[str], seconds: int) -> None:
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(at), "ReceiptHandle": self._held[key], "VisibilityTimeout": seconds}
            for at, key in enumerate(keys)
            if key in self._held
        ]
        with asking(f"messages of the queue {self._url} can't be held", "allow sqs:ChangeMessageVisibility"):
            await asyncio.to_thread(
                self._client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries
            )


def _batches(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
