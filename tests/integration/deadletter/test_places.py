"""Dead letters in the sandbox's SQS, S3 and SNS: whole, and kept once what failed is over."""

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from consumer.errors import Unavailable
from consumer.settings.model import Delivery, OnFailure
from consumer.shard.deadletter.letter import DeadLetter, KeptLetter, from_document
from consumer.shard.deadletter.places import DeadLetterPlaces
from sandbox.faults.fault import Fault, RequestKind
from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.support.letters import ORIGIN, letter_of
from tests.support.waiting import eventually

MEBIBYTE = os.urandom(2**20)
"""The largest record of a Kinesis stream, of bytes that are no text."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxProcess) -> None:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)


class Place:
    """The place that `on_failure` names, as a shard process has it."""

    def __init__(self, clock: Callable[[], float] = time.time, **on_failure: object) -> None:
        self.lost_notices: list[str] = []
        places = DeadLetterPlaces(
            ORIGIN, "us-east-1", lambda _, error: self.lost_notices.append(str(error)), clock
        )
        self._place = places.of(Delivery(on_failure=OnFailure.model_validate(on_failure)))

    async def write(self, letter: DeadLetter) -> None:
        await self._place.write(letter)


def create_queue(aws: Aws, name: str, **attributes: str) -> str:
    return aws.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]  # its keys are literals


def messages(aws: Aws, url: str) -> Iterator[str]:
    """Every message's body; each is deleted."""
    while found := aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield message["Body"]


def object_at(aws: Aws, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def letters_in(aws: Aws, url: str) -> list[KeptLetter]:
    return [from_document(body.encode()) for body in messages(aws, url)]


async def test_a_record_stands_in_the_queue_byte_for_byte(aws: Aws, prefix: str) -> None:
    url, letter = create_queue(aws, prefix), letter_of(bytes(range(256)) * 100, message="\ufffe\x00 é")

    await Place(sqs=url).write(letter)

    (kept,) = letters_in(aws, url)
    assert kept.record == letter.record


async def test_a_record_of_a_mebibyte_is_in_s3_and_the_queue_says_where(aws: Aws, prefix: str) -> None:
    url, letter = create_queue(aws, prefix), letter_of(MEBIBYTE)
    aws.s3.create_bucket(Bucket=prefix)

    await Place(sqs=url, claim_check=f"s3://{prefix}/large").write(letter)

    (pointer,) = letters_in(aws, url)
    check = pointer.claim_check
    assert check is not None
    body = object_at(aws, check.s3)
    assert from_document(body).record == letter.record
    assert (check.bytes, check.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert check.s3.startswith(f"s3://{prefix}/large/shop/view/{ORIGIN.shard_id}/1.3.")


async def test_a_queues_own_limit_of_256_kib_is_kept_to(aws: Aws, prefix: str) -> None:
    url = create_queue(aws, prefix, MaximumMessageSize="262144")
    aws.s3.create_bucket(Bucket=prefix)
    place = Place(sqs=url, claim_check=f"s3://{prefix}")

    await place.write(letter_of(b"x" * 190_000))
    await place.write(letter_of(b"x" * 200_000, number=2))

    small, large = sorted(letters_in(aws, url), key=lambda letter: letter.claim_check is not None)
    assert small.record is not None
    assert large.claim_check is not None


async def test_a_limit_that_is_lowered_meanwhile_is_found_out(aws: Aws, prefix: str) -> None:
    url, letter = create_queue(aws, prefix), letter_of(b"x" * 5_000)
    aws.s3.create_bucket(Bucket=prefix)
    place = Place(sqs=url, claim_check=f"s3://{prefix}")
    await place.write(letter)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "2048"})

    with pytest.raises(Unavailable, match="must be shorter than 2048 bytes"):
        await place.write(letter)
    await place.write(letter)

    assert [letter.claim_check is None for letter in letters_in(aws, url)] == [True, False]


async def test_a_fifo_queue_keeps_a_death_that_is_told_twice_once_and_another_of_the_same_record_too(
    aws: Aws, prefix: str
) -> None:
    url = create_queue(aws, f"{prefix}.fifo", FifoQueue="true")
    times = iter([1.0, 1.0, 2.0, 2.0])
    place = Place(sqs=url, clock=lambda: next(times))

    for number in (1, 1, 1, 2):
        await place.write(letter_of(number=number))

    numbers = [letter.record and letter.record.sequence_number for letter in letters_in(aws, url)]
    assert numbers == ["1", "1", "2"]


async def test_a_record_stands_in_the_bucket_under_its_place_in_the_stream_once(
    aws: Aws, prefix: str
) -> None:
    aws.s3.create_bucket(Bucket=prefix)
    place, letter = Place(s3=f"s3://{prefix}/dead"), letter_of(MEBIBYTE)

    for _ in range(2):
        await place.write(letter)

    (entry,) = aws.s3.list_objects_v2(Bucket=prefix)["Contents"]
    assert entry["Key"] == f"dead/shop/view/{ORIGIN.shard_id}/1.3.json"
    assert from_document(object_at(aws, f"s3://{prefix}/{entry['Key']}")).record == letter.record
    head = aws.s3.head_object(Bucket=prefix, Key=entry["Key"], ChecksumMode="ENABLED")
    assert head["ContentType"] == "application/json"
    assert head["ChecksumCRC32"]


async def test_a_queue_that_is_not_there_makes_the_record_wait_until_it_is(aws: Aws, prefix: str) -> None:
    url = create_queue(aws, prefix)
    aws.sqs.delete_queue(QueueUrl=url)
    place = Place(sqs=url)

    with pytest.raises(Unavailable, match=rf"queue {url} .*NonExistentQueue.*; create the queue, or correct"):
        await place.write(letter_of())
    create_queue(aws, prefix)
    await place.write(letter_of())

    assert len(letters_in(aws, url)) == 1


async def test_a_bucket_that_is_not_there_makes_the_record_wait_until_it_is(aws: Aws, prefix: str) -> None:
    place = Place(s3=f"s3://{prefix}/dead")

    with pytest.raises(
        Unavailable, match=r"NoSuchBucket.*; create the bucket, or correct delivery\.on_failure\.s3"
    ):
        await place.write(letter_of())
    aws.s3.create_bucket(Bucket=prefix)
    await place.write(letter_of())

    assert aws.s3.list_objects_v2(Bucket=prefix)["KeyCount"] == 1


@pytest.mark.parametrize("kind", ["down", "throttle", "fail", "lose_answer"])
@pytest.mark.parametrize("service", ["sqs", "s3"])
async def test_a_service_that_fails_makes_the_record_wait_and_keeps_it_later(
    aws: Aws,
    sandbox: SandboxProcess,
    prefix: str,
    kind: RequestKind,
    service: str,
) -> None:
    url = create_queue(aws, prefix, MaximumMessageSize="1024")
    aws.s3.create_bucket(Bucket=prefix)
    place, letter = Place(sqs=url, claim_check=f"s3://{prefix}"), letter_of(b"x" * 1_000)
    fault = Fault(kind=kind, service=service, resource=f"*{prefix}")

    with sandbox.faults.applied(fault), pytest.raises(Unavailable, match="it is tried again"):
        await place.write(letter)
    await place.write(letter)

    kept = letters_in(aws, url)
    assert kept
    for pointer in kept:
        assert pointer.claim_check is not None
        assert from_document(object_at(aws, pointer.claim_check.s3)).record == letter.record


async def test_many_letters_at_once_are_all_kept_by_few_threads(aws: Aws, prefix: str) -> None:
    url = create_queue(aws, prefix)
    place, before = Place(sqs=url), set(threading.enumerate())
    letters = [letter_of(os.urandom(2_000), number=number) for number in range(300)]

    await asyncio.gather(*(place.write(letter) for letter in letters))

    assert len(set(threading.enumerate()) - before) <= 8
    records = {letter.record.data for letter in letters_in(aws, url) if letter.record is not None}
    assert records == {letter.record.data for letter in letters}


async def test_a_topic_is_told_of_a_letter_and_a_missing_topic_is_counted(aws: Aws, prefix: str) -> None:
    url, told = create_queue(aws, prefix), create_queue(aws, f"{prefix}-told")
    topic = aws.sns.create_topic(Name=prefix)["TopicArn"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=told, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    place = Place(sqs=url, sns=topic)

    await place.write(letter_of(MEBIBYTE[:500_000]))

    (body,) = await asyncio.to_thread(eventually, lambda: list(messages(aws, told)))
    notice = json.loads(json.loads(body)["Message"])
    assert notice["id"] == f"shop/view/{ORIGIN.shard_id}/1.3"
    assert "record" not in notice

    missing = Place(sqs=url, sns=f"{topic}-missing")
    await missing.write(letter_of(number=2))
    (why,) = await asyncio.to_thread(eventually, lambda: missing.lost_notices)
    assert f"{topic}-missing can't be told" in why
    assert len(letters_in(aws, url)) == 2
