"""`--from`: where the letters are, as a person says it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from consumer.aws.boto import boto_client
from consumer.aws.names import region_of_queue
from consumer.commands.redrive.file import FileLetters, files_of
from consumer.commands.redrive.s3 import BucketLetters
from consumer.commands.redrive.source import LetterSource, asking
from consumer.commands.redrive.sqs import QueueLetters
from consumer.errors import SettingsError
from consumer.settings.model import OnFailure, Settings

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_ATTEMPTS = 2  # what fails is tried again without end by the run


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue by its URL, or by its name in the region of the environment."""

    url: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Objects:
    """A place in S3. `without`: places of claim checks, whose objects belong to messages of a queue."""

    uri: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """A file of the settings, or of one shard."""

    path: Path


Place = Queue | Objects | Lines


def place_of(text: str, settings: Settings) -> Place:
    """What `--from` says.

    An SQS queue's URL, `sqs://` and its URL or name, `s3://bucket/prefix`, or a file's path.

    Raises:
        SettingsError: it can't be told, there is no such file, or what stands there belongs to a queue.
    """
    scheme, _, rest = text.partition("://")
    if scheme == "s3" and rest:
        return _objects(text, settings)
    if scheme in ("http", "https") and urlsplit(text).path.strip("/"):
        return Queue(url=text)
    if scheme == "sqs" and rest:
        return _queue(rest, settings)
    if "://" in text:
        raise SettingsError(
            f"--from {text}: name an SQS queue (its URL, or sqs://its-name), s3://bucket/prefix, or a file"
        )
    if not files_of(Path(text)) and text not in map(_text, _places(settings)):
        raise SettingsError(f"--from {text}: there is no such file, nor one that a shard made of that name")
    return Lines(Path(text))


def default_place(settings: Settings, only: str | None) -> str:
    """Where the settings send dead letters, of one processor or of all.

    Raises:
        SettingsError: nowhere, or to several places.
    """
    chosen = [processor for processor in settings.processors if only in (None, processor.name)]
    deliveries = [settings.delivery_of(processor) for processor in chosen]
    if only is None:
        deliveries.append(settings.delivery)  # records that are no change records go there
    places = sorted(
        {_text(delivery.on_failure) for delivery in deliveries if delivery.on_failure is not None}
    )
    if not places:
        raise SettingsError(
            "the settings send dead letters nowhere (delivery.on_failure): name a place by --from"
        )
    if len(places) > 1:
        raise SettingsError(f"dead letters go to several places: {', '.join(places)}; name one by --from")
    return places[0]


def open_place(place: Place, region: str) -> LetterSource:
    """The letters of a place.

    Raises:
        SettingsError: there is no such queue.
        Unavailable: AWS can't be asked now.
    """
    match place:
        case Lines(path):
            return FileLetters(files_of(path), time.monotonic)
        case Objects(uri, without):
            return BucketLetters(boto_client("s3", region, attempts=_ATTEMPTS), uri, without)
        case Queue(url, name):
            where = region if url is None else region_of_queue(url, region)
            client = boto_client("sqs", where, attempts=_ATTEMPTS)
            return QueueLetters(client, url or _url_of(client, name or "", where))


def _url_of(client: "SQSClient", name: str, region: str) -> str:
    remedy = "correct the name or AWS_REGION, or say the queue's URL"
    with asking(f"queue {name!r} in {region} can't be found", remedy):
        return client.get_queue_url(QueueName=name)["QueueUrl"]


def _queue(rest: str, settings: Settings) -> Queue:
    """`rest` as `sqs://` has it: a name, or a URL whose scheme the settings may know."""
    if "/" not in rest:
        return Queue(name=rest)
    for on_failure in _places(settings):
        if on_failure.sqs is not None and on_failure.sqs.partition("://")[2] == rest:
            return Queue(url=on_failure.sqs)
    return Queue(url=f"https://{rest}")


def _objects(uri: str, settings: Settings) -> Objects:
    checks: list[str] = []
    for on_failure in _places(settings):
        check = on_failure.claim_check
        if check is None:
            continue
        if f"{uri.rstrip('/')}/".startswith(f"{check.rstrip('/')}/"):
            raise SettingsError(
                f"--from {uri}: what stands there belongs to messages of {on_failure.sqs}; redrive that queue"
            )
        checks.append(check)
    return Objects(uri, tuple(checks))


def _places(settings: Settings) -> list[OnFailure]:
    deliveries = [settings.delivery, *map(settings.delivery_of, settings.processors)]
    return [delivery.on_failure for delivery in deliveries if delivery.on_failure is not None]


def _text(on_failure: OnFailure) -> str:
    return on_failure.sqs or on_failure.s3 or (on_failure.file.path if on_failure.file else "")
