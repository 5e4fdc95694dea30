"""Where the settings send dead letters, looked at before the first one is written.

AWS API references used: SQS GetQueueAttributes; S3 HeadBucket; SNS GetTopicAttributes.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from consumer.aws.boto import boto_client, errors_as_unavailable
from consumer.aws.names import DENIED, NO_SUCH_QUEUE, bucket_and_prefix, region_of_queue, region_of_topic
from consumer.errors import SettingsError, Unavailable
from consumer.settings.model import OnFailure, Settings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

T = TypeVar("T")

_DAY_SECONDS = 86_400
_LONGEST_RETENTION_SECONDS = 14 * _DAY_SECONDS
_LARGEST_LETTER = 2**20 * 4 // 3 + 4_096
"""A record of 1 MiB in base64, and what else a letter says."""

_NO_SUCH_BUCKET = frozenset({"404", "NoSuchBucket"})
_NO_SUCH_TOPIC = frozenset({"NotFound", "NotFoundException"})


@dataclass(frozen=True, slots=True)
class LetterClients:
    """boto3's clients, each for a region."""

    sqs: Callable[[str], "SQSClient"] = lambda region: boto_client("sqs", region, attempts=2)
    s3: Callable[[str], "S3Client"] = lambda region: boto_client("s3", region, attempts=2)
    sns: Callable[[str], "SNSClient"] = lambda region: boto_client("sns", region, attempts=2)


@dataclass(slots=True)
class LetterFindings:
    """What stands at the places of dead letters.

    Attributes:
        told: what is there, a line each.
        retention_seconds: the longest of the queues'; 0 where there is none.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    retention_seconds: int = 0


def look_at_letters(settings: Settings, region: str, clients: LetterClients | None = None) -> LetterFindings:
    """Ask AWS for every queue, bucket and topic that the settings name; blocking.

    Raises:
        Unavailable: AWS can't be asked now.
    """
    found, clients = LetterFindings(), clients or LetterClients()
    for where, on_failure in _places(settings):
        if on_failure.sqs is not None:
            sqs = clients.sqs(region_of_queue(on_failure.sqs, region))
            _look_at_queue(f"{where}.sqs", on_failure, on_failure.sqs, sqs, found)
        for setting, uri in (("s3", on_failure.s3), ("claim_check", on_failure.claim_check)):
            if uri is not None:
                _look_at_bucket(f"{where}.{setting}", bucket_and_prefix(uri)[0], clients.s3(region), found)
        if on_failure.sns is not None:
            sns = clients.sns(region_of_topic(on_failure.sns))
            _look_at_topic(f"{where}.sns", on_failure.sns, sns, found)
    return found


def try_files(settings: Settings) -> None:
    """Write a file beside each dead letter file, and remove it; the directory is made if it isn't there.

    Raises:
        SettingsError: where that can't be done, a line each.
    """
    problems = []
    for where, on_failure in _places(settings):
        if on_failure.file is None:
            continue
        directory = Path(on_failure.file.path).parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory) as probe:
                probe.write(b"tidemark")
        except OSError as error:
            problems.append(
                f"{where}.file: nothing can be written into {directory}: {error.strerror}; mount the volume"
                " there, and let the pod's user write to it"
            )
    if problems:
        raise SettingsError("\n".join(problems))


def _places(settings: Settings) -> Iterator[tuple[str, OnFailure]]:
    """Each place that is named, once, and where in the settings it is."""
    named = [("delivery", settings.delivery)] + [
        (f"processors.{processor.name}.delivery", settings.delivery_of(processor))
        for processor in settings.processors
    ]
    first: dict[OnFailure, str] = {}
    for where, delivery in named:
        if delivery.on_failure is not None:
            first.setdefault(delivery.on_failure, f"{where}.on_failure")
    yield from ((where, on_failure) for on_failure, where in first.items())


def _look_at_queue(
    where: str, on_failure: OnFailure, url: str, sqs: "SQSClient", found: LetterFindings
) -> None:
    answer = _asked(
        f"{where}: queue {url}",
        lambda: sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["MaximumMessageSize", "MessageRetentionPeriod"]
        ),
        {
            NO_SUCH_QUEUE: f"{where}: there is no queue {url}; create it, or correct the URL",
            DENIED: f"{where}: not allowed to look at {url}; allow sqs:GetQueueAttributes on it",
        },
        found,
    )
    if answer is None:
        return
    attributes = answer["Attributes"]
    limit, retention = int(attributes["MaximumMessageSize"]), int(attributes["MessageRetentionPeriod"])
    found.told.append(f"queue {url}, keeps letters {_time(retention)}, takes {limit:,} bytes a message")
    found.retention_seconds = max(found.retention_seconds, retention)
    if retention < _LONGEST_RETENTION_SECONDS:
        found.warnings.append(
            f"{where}: the queue drops a letter after {_time(retention)}; make that 14 days: aws sqs"
            f" set-queue-attributes --queue-url {url} --attributes"
            f" MessageRetentionPeriod={_LONGEST_RETENTION_SECONDS}"
        )
    if limit < _LARGEST_LETTER and on_failure.claim_check is None:
        found.warnings.append(
            f"{where}: the queue takes {limit:,} bytes, but the letter of a record of 1 MiB has about"
            f" {_LARGEST_LETTER:,}: a record whose letter is too large will wait without end; set claim_check"
            " to a place in S3 beside it"
        )


def _look_at_bucket(where: str, bucket: str, s3: "S3Client", found: LetterFindings) -> None:
    problems = {
        _NO_SUCH_BUCKET: f"{where}: there is no bucket {bucket!r}; create it, or correct the name",
        DENIED: f"{where}: not allowed to look at bucket {bucket!r}; allow s3:ListBucket on it, or correct"
        " the name: it may be somebody else's",
    }
    answer = _asked(f"{where}: bucket {bucket!r}", lambda: s3.head_bucket(Bucket=bucket), problems, found)
    if answer is not None:
        found.told.append(f"bucket {bucket}, is there")


def _look_at_topic(where: str, arn: str, sns: "SNSClient", found: LetterFindings) -> None:
    problems = {
        _NO_SUCH_TOPIC: f"{where}: there is no topic {arn}; create it, or correct the ARN",
        DENIED: f"{where}: not allowed to look at {arn}; allow sns:GetTopicAttributes on it",
    }
    answer = _asked(f"{where}: topic {arn}", lambda: sns.get_topic_attributes(TopicArn=arn), problems, found)
    if answer is not None:
        found.told.append(f"topic {arn}, is there")


def _asked(
    what: str, call: Callable[[], T], problems: Mapping[frozenset[str], str], found: LetterFindings
) -> T | None:
    """What AWS answers; None where it answers with a code that a person has to put right.

    `problems`: by these codes, what to tell. Raises Unavailable with every other.
    """
    try:
        with errors_as_unavailable(what):
            return call()
    except Unavailable as error:
        told = [problem for codes, problem in problems.items() if error.code in codes]
        if not told:
            raise
        found.problems += told
        return None


def _time(seconds: int) -> str:
    """In the largest unit that needs no fraction."""
    for unit, size in (("d", _DAY_SECONDS), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
