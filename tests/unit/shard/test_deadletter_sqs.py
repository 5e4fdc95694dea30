"""Letters in a queue, by a scripted client: sizes at the boundary, names and what errors say."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from consumer.errors import Rejected, Unavailable, Undecodable
from consumer.record import StreamRecord
from consumer.shard.deadletter.blocking import Lazy, Threads
from consumer.shard.deadletter.letter import DeadLetter, from_document
from consumer.shard.deadletter.s3 import Bucket
from consumer.shard.deadletter.sqs import QueueDeadLetters, message_size
from tests.support.letters import NOW, ORIGIN, letter_of

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/letters"
ATTRIBUTES = {"processor": "view", "code": "BadValue"}
TOO_LARGE = ClientError(
    {
        "Error": {
            "Code": "InvalidParameterValue",
            "Message": "One or more parameters are invalid. Reason: Message must be shorter than 9 bytes.",
        }
    },
    "SendMessage",
)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


@dataclass(slots=True)
class Aws:
    """SQS and S3 as one client: what was sent and put, and what each next call fails with."""

    limit: int = 1_048_576
    sent: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    looks: int = 0
    answers_lost: int = 0
    fails: dict[str, list[Exception]] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    """Steps at which somebody else answers, with a page that says nothing of what was asked."""

    def get_queue_attributes(self, **_: object) -> Mapping[str, Mapping[str, str]]:
        self.looks += 1
        self._fail("look")
        if "look" in self.strangers:
            return {}
        return {"Attributes": {"MaximumMessageSize": str(self.limit)}}

    def send_message(self, **message: object) -> Mapping[str, str]:
        self._fail("send")
        if "send" in self.strangers:
            return {}
        self.sent.append(message)
        if self.answers_lost:
            self.answers_lost -= 1
            raise EndpointConnectionError(endpoint_url=URL)
        return {"MessageId": str(len(self.sent))}

    def put_object(self, **put: Any) -> Mapping[str, str]:  # noqa: ANN401 - boto3's arguments
        self._fail("put")
        if "put" in self.strangers:
            return {}
        self.puts += 1
        self.objects[f"s3://{put['Bucket']}/{put['Key']}"] = put["Body"]
        return {"ETag": str(self.puts)}

    def _fail(self, step: str) -> None:
        if self.fails.get(step):
            raise self.fails[step].pop(0)


def queue(aws: Aws, *, claim_check: str | None = "s3://bucket/checks/", url: str = URL) -> QueueDeadLetters:
    ticks = count(NOW)
    client: Lazy[Any] = Lazy(lambda: aws)
    bucket = claim_check and Bucket(claim_check, "delivery.on_failure.claim_check", client)
    return QueueDeadLetters(url, client, Threads(2, "test"), ORIGIN, lambda: next(ticks), bucket or None)


async def size_of(letter: DeadLetter) -> int:
    """As a queue without limit was sent it."""
    aws = Aws()
    await queue(aws).write(letter)
    return message_size(aws.sent[0]["MessageBody"].encode(), ATTRIBUTES)


async def test_a_letter_of_exactly_the_queues_size_is_one_message_and_a_byte_more_is_checked_in() -> None:
    letter = letter_of(b"x" * 3_000, message="é" * 100)
    size = await size_of(letter)

    exact, less = Aws(limit=size), Aws(limit=size - 1)
    await queue(exact).write(letter)
    await queue(less).write(letter)

    assert from_document(exact.sent[0]["MessageBody"].encode()).record == letter.record
    assert exact.objects == {}
    pointer = from_document(less.sent[0]["MessageBody"].encode())
    assert pointer.record is None
    assert pointer.claim_check is not None
    (body,) = less.objects.values()
    assert from_document(body).record == letter.record
    assert pointer.claim_check.s3 in less.objects
    assert pointer.claim_check.bytes == len(body)
    assert pointer.claim_check.sha256 == hashlib.sha256(body).hexdigest()


def test_a_message_is_as_large_as_its_body_and_its_attributes_names_types_and_values() -> None:
    assert message_size(b"12345", {"code": "vålue"}) == 5 + 4 + 6 + 6


async def test_a_message_tells_its_processor_and_code_to_who_filters_by_them() -> None:
    aws = Aws()
    await queue(aws).write(letter_of())
    await queue(aws).write(
        DeadLetter(None, StreamRecord(b"x", "2"), Undecodable("no", code="NotAnEnvelope"), 1)
    )
    assert [
        {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        for message in aws.sent
    ] == [{"processor": "view", "code": "BadValue"}, {"processor": "-", "code": "NotAnEnvelope"}]


async def test_a_letter_that_is_too_large_waits_where_no_claim_check_is_set_and_says_so() -> None:
    aws = Aws(limit=1_024)
    with pytest.raises(
        Unavailable, match=r"larger than the queue .*letters takes \(1,024\); set .*claim_check"
    ):
        await queue(aws, claim_check=None).write(letter_of(b"x" * 1_000))
    assert aws.sent == []


async def test_a_pointer_that_is_too_large_leaves_the_error_message_to_the_whole_letter() -> None:
    aws = Aws(limit=1_024)
    letter = letter_of(b"x" * 1_000, message="long " * 1_000)

    await queue(aws).write(letter)

    message = json.loads(aws.sent[0]["MessageBody"])
    assert message["error"] == {"type": "Rejected", "code": "BadValue", "attempts": 6}
    (body,) = aws.objects.values()
    assert json.loads(body)["error"]["message"] == "long " * 1_000


async def test_a_queue_that_can_hold_no_pointer_makes_the_letter_wait() -> None:
    aws = Aws(limit=300)
    with pytest.raises(Unavailable, match="raise its MaximumMessageSize"):
        await queue(aws).write(letter_of())


async def test_the_queues_limit_is_read_once_and_again_when_a_message_is_refused_for_its_size() -> None:
    aws = Aws()
    letters, letter = queue(aws), letter_of(b"x" * 3_000)
    await letters.write(letter_of(number=2))
    await letters.write(letter_of(number=3))
    assert aws.looks == 1

    aws.limit, aws.fails = 2_048, {"send": [TOO_LARGE]}
    with pytest.raises(Unavailable, match="must be shorter"):
        await letters.write(letter)
    await letters.write(letter)

    assert aws.looks == 2
    assert from_document(aws.sent[-1]["MessageBody"].encode()).claim_check is not None


@pytest.mark.parametrize("claim_check", [None, "s3://bucket/checks/"])
async def test_a_letter_that_waits_for_a_larger_limit_is_sent_once_the_queue_has_it(
    claim_check: str | None,
) -> None:
    aws = Aws(limit=300)
    letters, letter = queue(aws, claim_check=claim_check), letter_of()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await letters.write(letter)

    aws.limit = 1_048_576
    with suppress(Unavailable):
        await letters.write(letter)
    await letters.write(letter)

    assert from_document(aws.sent[-1]["MessageBody"].encode()).record == letter.record


async def test_a_letter_that_the_queue_itself_found_too_large_is_offered_again_where_it_can_only_wait() -> (
    None
):
    aws = Aws(fails={"send": [TOO_LARGE]})
    letters, letter = queue(aws, claim_check=None), letter_of()
    for error in ("must be shorter", "claim_check"):
        with pytest.raises(Unavailable, match=error):
            await letters.write(letter)

    await letters.write(letter)

    assert from_document(aws.sent[-1]["MessageBody"].encode()).record == letter.record


@pytest.mark.parametrize("step", ["look", "send", "put"])
async def test_a_letter_is_not_kept_where_somebody_else_than_aws_answered(step: str) -> None:
    aws = Aws(limit=1_024, strangers={step})
    letters, letter = queue(aws), letter_of(b"x" * 1_000)

    with pytest.raises(Unavailable, match="what answered is not the service") as raised:
        await letters.write(letter)
    assert raised.value.code == "NoReceipt"

    aws.strangers.clear()
    await letters.write(letter)
    assert len(aws.sent) == len(aws.objects) == 1


async def test_what_the_queue_finds_too_large_is_checked_in_whatever_we_counted() -> None:
    aws = Aws(fails={"send": [TOO_LARGE]})
    letters, letter = queue(aws), letter_of()
    with pytest.raises(Unavailable):
        await letters.write(letter)
    await letters.write(letter)
    assert from_document(aws.sent[-1]["MessageBody"].encode()).claim_check is not None
    await letters.write(letter)
    assert from_document(aws.sent[-1]["MessageBody"].encode()).record == letter.record


async def test_a_letter_whose_message_fails_is_not_put_into_s3_again_by_the_next_try() -> None:
    times = iter(range(100))
    aws = Aws(limit=1_024, fails={"send": [refusal("InternalError"), refusal("InternalError")]})
    client: Lazy[Any] = Lazy(lambda: aws)
    bucket = Bucket("s3://bucket", "delivery.on_failure.claim_check", client)
    letters = QueueDeadLetters(URL, client, Threads(2, "test"), ORIGIN, lambda: float(next(times)), bucket)
    letter = letter_of(b"x" * 1_000)

    for _ in range(2):
        with pytest.raises(Unavailable, match="InternalError: no; it is tried again"):
            await letters.write(letter)
    await letters.write(letter)

    assert aws.puts == 1
    check = from_document(aws.sent[0]["MessageBody"].encode()).claim_check
    assert check is not None
    assert hashlib.sha256(aws.objects[check.s3]).hexdigest() == check.sha256


async def test_a_record_that_dies_again_later_leaves_the_first_messages_letter_as_it_is() -> None:
    times = iter(range(100))
    aws = Aws(limit=1_024)
    client: Lazy[Any] = Lazy(lambda: aws)
    bucket = Bucket("s3://bucket", "delivery.on_failure.claim_check", client)
    letters = QueueDeadLetters(URL, client, Threads(2, "test"), ORIGIN, lambda: float(next(times)), bucket)

    for _ in range(2):
        await letters.write(letter_of(b"x" * 1_000))

    assert len({json.loads(body)["failedAt"] for body in aws.objects.values()}) == 2
    for message in aws.sent:
        check = from_document(message["MessageBody"].encode()).claim_check
        assert check is not None
        assert hashlib.sha256(aws.objects[check.s3]).hexdigest() == check.sha256


async def test_a_fifo_queue_knows_a_send_that_is_repeated_but_takes_a_record_that_dies_again() -> None:
    aws = Aws(answers_lost=1)
    letters = queue(aws, url=f"{URL}.fifo")
    with pytest.raises(Unavailable):
        await letters.write(letter_of(number=1))
    for number in (1, 1, 2):
        await letters.write(letter_of(number=number))
    lost, repeated, again, other = aws.sent
    assert lost["MessageDeduplicationId"] == repeated["MessageDeduplicationId"]
    assert len({message["MessageDeduplicationId"] for message in aws.sent}) == 3
    assert lost["MessageGroupId"] == again["MessageGroupId"] != other["MessageGroupId"]
    names = {message[name] for message in aws.sent for name in ("MessageGroupId", "MessageDeduplicationId")}
    assert {len(name) for name in names} == {64}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal("AccessDenied"), r"can't be written: AccessDenied: no; allow sqs:SendMessage"),
        (
            refusal("AWS.SimpleQueueService.NonExistentQueue"),
            r"create the queue, or correct delivery\.on_failure",
        ),
        (refusal("RequestThrottled"), r"RequestThrottled: no; it is tried again"),
        (EndpointConnectionError(endpoint_url="http://x"), r"Could not connect .*; it is tried again"),
        (ValueError("Invalid endpoint: x"), r"Invalid endpoint"),
    ],
    ids=["denied", "missing", "throttled", "unreachable", "no endpoint"],
)
async def test_whatever_the_queue_says_makes_the_letter_wait_and_the_error_says_what_to_do(
    error: Exception, expected: str
) -> None:
    aws = Aws(fails={"send": [error]})
    letters = queue(aws)
    with pytest.raises(Unavailable, match=rf"the dead letter queue {URL} .*{expected}"):
        await letters.write(letter_of())
    await letters.write(letter_of())
    assert len(aws.sent) == 1


async def test_a_bucket_that_refuses_a_claim_check_keeps_the_message_back() -> None:
    aws = Aws(limit=1_024, fails={"put": [refusal("AccessDenied"), refusal("NoSuchBucket")]})
    letters, letter = queue(aws), letter_of(b"x" * 1_000)
    with pytest.raises(Unavailable, match=r"allow s3:PutObject on arn:aws:s3:::bucket/checks/\*"):
        await letters.write(letter)
    with pytest.raises(Unavailable, match=r"create the bucket, or correct delivery\.on_failure\.claim_check"):
        await letters.write(letter)
    assert aws.sent == []


async def test_a_letter_holds_only_characters_that_a_queue_takes() -> None:
    aws = Aws()
    odd = "\x00 \x1f \ufffe \uffff \ud800 🙂"
    letter = letter_of(message=odd)

    await queue(aws).write(letter)

    body = cast("str", aws.sent[0]["MessageBody"])
    assert all(character >= " " and character not in "\ufffe\uffff" for character in body)
    assert json.loads(body)["error"]["message"] == odd.replace("\ud800", "\\ud800")
    assert str(letter.error) == odd
    assert isinstance(letter.error, Rejected)
