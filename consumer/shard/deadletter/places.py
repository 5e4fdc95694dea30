"""Where the settings send dead letters."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.aws.names import region_of_queue, region_of_topic
from consumer.errors import Unavailable
from consumer.settings.model import Delivery, OnFailure
from consumer.shard.deadletter.blocking import Lazy, Threads
from consumer.shard.deadletter.file import FileDeadLetters
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters, Origin
from consumer.shard.deadletter.notice import Noticed, OnNoticeFailure, Topic
from consumer.shard.deadletter.s3 import Bucket, BucketDeadLetters
from consumer.shard.deadletter.sqs import QueueDeadLetters

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

_ATTEMPTS = 2  # the letter is tried again without end by whoever brought it
_LETTER_THREADS = 8
_NOTICE_THREADS = 2  # apart, so that a topic that does not answer holds up no letter


class NoDeadLetters:
    """None is configured: the record blocks until one is, since nothing is ever skipped."""

    async def write(self, letter: DeadLetter) -> None:
        """Refuse, with what to do."""
        message = (
            f"a record can't be applied ({letter.error.code}: {letter.error}) and no dead letter is "
            "configured, so it blocks its item, and its shard once the window is full; set "
            "delivery.on_failure in the settings"
        )
        raise Unavailable(message, code="NoDeadLetter")


class DeadLetterPlaces:
    """Where each processor's settings send its dead letters; who names one place shares it."""

    def __init__(
        self,
        origin: Origin,
        region: str,
        on_notice_failure: OnNoticeFailure,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what every letter of the shard says of its source, and the pod's own region."""
        self._origin = origin
        self._region = region
        self._on_notice_failure = on_notice_failure
        self._clock = clock
        self._letter_threads = Threads(_LETTER_THREADS, "dead-letters")
        self._notice_threads = Threads(_NOTICE_THREADS, "notices")
        self._s3 = Lazy(partial(_s3, region))
        self._sqs: dict[str, Lazy[SQSClient]] = {}
        self._sns: dict[str, Lazy[SNSClient]] = {}
        self._places: dict[OnFailure, DeadLetters] = {}

    def of(self, delivery: Delivery) -> DeadLetters:
        """The place that these delivery settings name."""
        on_failure = delivery.on_failure
        if on_failure is None:
            return NoDeadLetters()
        if on_failure not in self._places:
            self._places[on_failure] = self._noticed(on_failure)
        return self._places[on_failure]

    def _noticed(self, on_failure: OnFailure) -> DeadLetters:
        place = self._place(on_failure)
        if on_failure.sns is None:
            return place
        region = region_of_topic(on_failure.sns)
        client = self._sns.setdefault(region, Lazy(partial(_sns, region)))
        topic = Topic(on_failure.sns, client, self._origin, self._clock)
        return Noticed(place, topic, self._notice_threads, self._on_notice_failure)

    def _place(self, on_failure: OnFailure) -> DeadLetters:
        if on_failure.file is not None:
            return FileDeadLetters(Path(on_failure.file.path), self._origin, self._clock)
        if on_failure.s3 is not None:
            bucket = Bucket(on_failure.s3, "delivery.on_failure.s3", self._s3)
            return BucketDeadLetters(bucket, self._letter_threads, self._origin, self._clock)
        assert on_failure.sqs is not None  # noqa: S101 - one of the three is set: see OnFailure
        region = region_of_queue(on_failure.sqs, self._region)
        check = on_failure.claim_check
        return QueueDeadLetters(
            on_failure.sqs,
            self._sqs.setdefault(region, Lazy(partial(_sqs, region))),
            self._letter_threads,
            self._origin,
            self._clock,
            None if check is None else Bucket(check, "delivery.on_failure.claim_check", self._s3),
        )


def _s3(region: str) -> "S3Client":
    from consumer.aws.boto import boto_client  # noqa: PLC0415 - 20 MB, only where a letter is written

    return boto_client("s3", region, attempts=_ATTEMPTS)


def _sns(region: str) -> "SNSClient":
    from consumer.aws.boto import boto_client  # noqa: PLC0415 - the same

    return boto_client("sns", region, attempts=_ATTEMPTS)


def _sqs(region: str) -> "SQSClient":
    from consumer.aws.boto import boto_client  # noqa: PLC0415 - the same

    return boto_client("sqs", region, attempts=_ATTEMPTS)
