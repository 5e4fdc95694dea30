"""A notice by SNS of each dead letter that is kept: for people, so that its failure holds up nothing."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from consumer.errors import Unavailable
from consumer.shard.deadletter.blocking import Lazy, Threads
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters, Origin, encode, letter_id, to_notice

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import MessageAttributeValueTypeDef

OnNoticeFailure = Callable[[str | None, Unavailable], None]
"""Told the letter's processor, and why its notice is lost."""

_MOST_AT_ONCE = 100


class Topic:
    """An SNS topic. Its calls block."""

    def __init__(
        self, arn: str, client: Lazy["SNSClient"], origin: Origin, clock: Callable[[], float]
    ) -> None:
        """`clock`: Unix seconds."""
        self._arn = arn
        self._client = client
        self._origin = origin
        self._clock = clock

    def tell(self, letter: DeadLetter) -> None:
        """Publish the letter without its record. Attributes: `processor` and `code`, as a queue's message.

        Raises:
            Unavailable: it is not published for sure.
        """
        from consumer.aws.boto import errors_as_unavailable  # noqa: PLC0415 - boto3 only where a letter is written

        message = encode(to_notice(letter, self._origin, self._clock())).decode()
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            "processor": {"DataType": "String", "StringValue": letter.processor or "-"},
            "code": {"DataType": "String", "StringValue": letter.error.code},
        }
        with errors_as_unavailable(f"the topic {self._arn} can't be told of a dead letter"):
            if self._arn.endswith(".fifo"):
                name = hashlib.sha256(letter_id(letter, self._origin).encode()).hexdigest()
                self._client().publish(
                    TopicArn=self._arn,
                    Message=message,
                    MessageAttributes=attributes,
                    MessageGroupId=name,
                    MessageDeduplicationId=name,
                )
            else:
                self._client().publish(TopicArn=self._arn, Message=message, MessageAttributes=attributes)


class Noticed:
    """A place for dead letters, and a topic that is told of each in the background, once it is kept."""

    def __init__(
        self, place: DeadLetters, topic: Topic, threads: Threads, on_failure: OnNoticeFailure
    ) -> None:
        self._place = place
        self._topic = topic
        self._threads = threads
        self._on_failure = on_failure
        self._under_way: set[asyncio.Task[None]] = set()

    async def write(self, letter: DeadLetter) -> None:
        """Keep the letter; raises Unavailable where it can't, and then nobody is told."""
        await self._place.write(letter)
        if len(self._under_way) >= _MOST_AT_ONCE:
            error = Unavailable(f"{_MOST_AT_ONCE} notices are under way already", code="TooManyNotices")
            self._on_failure(letter.processor, error)
            return
        task = asyncio.create_task(self._tell(letter))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _tell(self, letter: DeadLetter) -> None:
        try:
            await self._threads.run(lambda: self._topic.tell(letter))
        except Unavailable as error:
            self._on_failure(letter.processor, error)
