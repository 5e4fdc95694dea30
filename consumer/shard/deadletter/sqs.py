"""Dead letters as messages of an SQS queue; what is too large for it goes to S3, and the message says where.

letter ─ fits the queue's MaximumMessageSize ──────────────────────────────► message: the whole letter
       └ doesn't ─► S3: the whole letter, then ─► fits ────────────────────► message: recordAt for record
                                                └ doesn't (1 KiB is allowed) ► without keys and error message
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from consumer.aws.names import DENIED, NO_SUCH_QUEUE
from consumer.errors import Unavailable
from consumer.shard.deadletter.blocking import Lazy, Threads, see_receipt
from consumer.shard.deadletter.letter import (
    DeadLetter,
    Origin,
    encode,
    letter_id,
    to_document,
    to_least,
    to_pointer,
)
from consumer.shard.deadletter.s3 import Bucket

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_TOO_LARGE = re.compile(r"must be shorter than|too long", re.IGNORECASE)
"""SQS has no code of its own for it: InvalidParameterValue, "Message must be shorter than 262144 bytes."."""


def message_size(body: bytes, attributes: Mapping[str, str]) -> int:
    """Bytes as SQS counts them: the body, and each attribute's name, type and value.

    Amazon SQS API Reference, "MessageAttributeValue": all of them are part of the message size restriction.
    """
    return len(body) + sum(
        len(name) + len("String") + len(value.encode()) for name, value in attributes.items()
    )


class QueueDeadLetters:
    """A message a letter. Attributes: `processor` (`-`: it was no change record) and the error's `code`."""

    def __init__(
        self,
        url: str,
        client: Lazy["SQSClient"],
        threads: Threads,
        origin: Origin,
        clock: Callable[[], float],
        claim_check: Bucket | None = None,
    ) -> None:
        """`clock`: Unix seconds; `claim_check`: where letters go that are larger than the queue takes."""
        self._url = url
        self._client = client
        self._threads = threads
        self._origin = origin
        self._clock = clock
        self._claim_check = claim_check
        self._limit: int | None = None
        self._unsent: dict[str, dict[str, object]] = {}
        """The letters that are under way: each try sends the same, so that a FIFO queue knows a repeat."""
        self._checked_in: dict[str, dict[str, object]] = {}
        """Pointers to what is in S3 and not in the queue yet: a next try must not write it again."""
        self._refused: set[str] = set()
        """What the queue found too large, whatever we counted."""

    async def write(self, letter: DeadLetter) -> None:
        """Send the message, whole letter or pointer to it."""
        await self._threads.run(lambda: self._keep(letter))

    def _keep(self, letter: DeadLetter) -> None:
        identifier = letter_id(letter, self._origin)
        document = self._unsent.setdefault(identifier, to_document(letter, self._origin, self._clock()))
        attributes = {"processor": letter.processor or "-", "code": letter.error.code}
        body = self._fitting(identifier, document, attributes)
        try:
            self._send(body, attributes, group=identifier, death=f"{identifier} {document['failedAt']}")
        except Unavailable as error:
            if _TOO_LARGE.search(str(error)):  # somebody has lowered the limit
                self._limit = None
                self._refused.add(identifier)
            raise
        self._unsent.pop(identifier, None)
        self._checked_in.pop(identifier, None)
        self._refused.discard(identifier)

    def _fitting(self, identifier: str, whole: dict[str, object], attributes: Mapping[str, str]) -> bytes:
        """The message's body: the whole letter, or the largest pointer to it that the queue takes."""
        limit, body = self._queue_limit(), encode(whole)
        size = message_size(body, attributes)
        if size <= limit and identifier not in self._refused:
            return body
        if self._claim_check is None:
            self._ask_for_the_limit_again(identifier)
            message = (
                f"a dead letter of {size:,} bytes is larger than the queue {self._url} takes ({limit:,});"
                " set delivery.on_failure.claim_check to a place in S3"
            )
            raise Unavailable(message, code="NoClaimCheck")
        if identifier not in self._checked_in:
            self._checked_in[identifier] = to_pointer(whole, self._claim_check.check_in(identifier, body))
        pointer = self._checked_in[identifier]
        for document in (pointer, to_least(pointer)):
            body = encode(document)
            if message_size(body, attributes) <= limit:
                return body
        self._ask_for_the_limit_again(identifier)
        message = (
            f"the queue {self._url} takes {limit:,} bytes, and even a pointer to a letter in S3 is larger;"
            " raise its MaximumMessageSize"
        )
        raise Unavailable(message, code="QueueTooSmall")

    def _ask_for_the_limit_again(self, identifier: str) -> None:
        """Of a letter that has to wait: somebody may raise the queue's limit for it."""
        self._limit = None
        self._refused.discard(identifier)

    def _queue_limit(self) -> int:
        limit = self._limit  # another thread may forget it meanwhile
        if limit is None:
            with self._telling("can't be asked for its MaximumMessageSize", "sqs:GetQueueAttributes"):
                answer = self._client().get_queue_attributes(
                    QueueUrl=self._url, AttributeNames=["MaximumMessageSize"]
                )
                see_receipt(answer, "Attributes")
                limit = self._limit = int(answer["Attributes"]["MaximumMessageSize"])
        return limit

    def _send(self, body: bytes, attributes: Mapping[str, str], *, group: str, death: str) -> None:
        values: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        with self._telling("can't be written", "sqs:SendMessage, and the use of its KMS key"):
            if self._url.endswith(".fifo"):
                # A record that dies again within five minutes is another death: the letter of the first may
                # have been redriven since. 128 characters at most, which an id may exceed (SendMessage).
                answer = self._client().send_message(
                    QueueUrl=self._url,
                    MessageBody=body.decode(),
                    MessageAttributes=values,
                    MessageGroupId=hashlib.sha256(group.encode()).hexdigest(),
                    MessageDeduplicationId=hashlib.sha256(death.encode()).hexdigest(),
                )
            else:
                answer = self._client().send_message(
                    QueueUrl=self._url, MessageBody=body.decode(), MessageAttributes=values
                )
            see_receipt(answer, "MessageId")

    @contextmanager
    def _telling(self, trouble: str, permission: str) -> Iterator[None]:
        """Errors say what to do about them."""
        from consumer.aws.boto import errors_as_unavailable  # noqa: PLC0415 - boto3 only where a letter is written

        try:
            with errors_as_unavailable(f"the dead letter queue {self._url} {trouble}"):
                yield
        except Unavailable as error:
            remedy = "it is tried again"
            if error.code in NO_SUCH_QUEUE:
                remedy = "create the queue, or correct delivery.on_failure.sqs"
            elif error.code in DENIED:
                remedy = f"allow {permission}"
            raise Unavailable(f"{error}; {remedy}", code=error.code) from error
