"""Redriving an SQS queue."""

import hashlib

import orjson
import pytest

from consumer.errors import SettingsError
from tests.integration.redrive.conftest import DAY, Ended, Stage

CLAIM_CHECK = "claims"


class Queue:
    """A queue of dead letters, the settings that name it, and what its receivers see."""

    def __init__(self, stage: Stage, suffix: str = "") -> None:
        self.stage = stage
        self.name = f"{stage.shop.prefix}-letters{suffix}"
        self.is_fifo = suffix == ".fifo"
        made = stage.aws.sqs.create_queue(
            QueueName=self.name, Attributes={"FifoQueue": "true"} if self.is_fifo else {}
        )
        self.url = made["QueueUrl"]
        stage.settings(f'{{ sqs: "{self.url}" }}')

    def send(self, *bodies: bytes) -> None:
        for body in bodies:
            if self.is_fifo:
                group = hashlib.sha256(body).hexdigest()
                self.stage.aws.sqs.send_message(
                    QueueUrl=self.url,
                    MessageBody=body.decode(),
                    MessageGroupId=group,
                    MessageDeduplicationId=group,
                )
            else:
                self.stage.aws.sqs.send_message(QueueUrl=self.url, MessageBody=body.decode())

    def visible(self) -> list[bytes]:
        """What can be received at once, given back."""
        found: list[bytes] = []
        while messages := self.stage.aws.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=5
        ).get("Messages"):
            found += [message["Body"].encode() for message in messages]
        return found


@pytest.fixture
def queue(stage: Stage) -> Queue:
    return Queue(stage)


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_settled_letters_leave_the_queue_and_the_others_are_there_at_once(stage: Stage, suffix: str) -> None:
    queue = Queue(stage, suffix)
    good = [stage.letter(f"item-{number}", str(number)) for number in range(25)]
    bad = [b"not a letter", stage.letter("b", "2", processor="picky")]
    queue.send(*good, *bad)

    ended = stage.redrive()

    assert [stage.row(f"item-{number}") for number in range(25)] == [
        {"id": {"S": f"item-{number}"}, "v": {"N": str(number)}} for number in range(25)
    ]
    assert sorted(queue.visible()) == sorted(bad)
    assert (ended.code, ended.lines[0]) == (1, "25 settled (25 applied), 2 stay")
    for said in ("picky  ExpressionFailed  1", "-  NotALetter  1"):
        assert said in ended.text


def test_a_letter_that_is_settled_already_is_stale_and_leaves_the_queue(queue: Queue, stage: Stage) -> None:
    letter = stage.letter("a")
    queue.send(letter, letter)

    ended = stage.redrive()

    assert (ended.code, ended.lines) == (0, ["2 settled (1 applied, 1 stale)"])
    assert queue.visible() == []


@pytest.mark.parametrize("form", ["{url}", "sqs://{name}", "sqs://{host}"])
def test_a_queue_is_named_by_its_url_or_its_name(queue: Queue, stage: Stage, form: str) -> None:
    queue.send(stage.letter("a"))

    ended = stage.redrive(
        place=form.format(url=queue.url, name=queue.name, host=queue.url.partition("://")[2])
    )

    assert ended == Ended(0, ["1 settled (1 applied)"])


def test_a_queue_that_is_not_there_is_told_with_what_to_do(stage: Stage) -> None:
    with pytest.raises(SettingsError, match=r"NonExistentQueue|QueueDoesNotExist"):
        stage.redrive(place="sqs://nowhere")


def test_a_dry_run_tells_what_would_be_done_and_changes_nothing(queue: Queue, stage: Stage) -> None:
    letters = [
        stage.letter("a"),
        stage.letter("old", age_seconds=20 * DAY),
        stage.letter("b", processor=None, data=b"{}"),
        stage.letter("c", application="another"),
    ]
    queue.send(*letters)

    ended = stage.redrive(dry_run=True)

    assert ended.code == 0
    assert ended.lines[0] == "4 letters; nothing was changed"
    assert "view  ValidationException  3: 2 can be read, 1 past the horizon" in ended.text
    assert "-  ValidationException  1: 0 can be read" in ended.text
    assert "2 would stay as they are:" in ended.lines
    assert "OtherApplication" in ended.text
    assert (stage.row("a"), sorted(queue.visible())) == (None, sorted(letters))


def test_no_more_letters_are_taken_than_the_limit(queue: Queue, stage: Stage) -> None:
    queue.send(*(stage.letter(f"item-{number}") for number in range(15)))

    ended = stage.redrive(limit=12)

    assert ended == Ended(0, ["12 settled (12 applied)"])
    assert len(queue.visible()) == 3


class Claim:
    """A letter too large for its queue: a message that points to an object in S3."""

    def __init__(self, queue: Queue, letter: bytes) -> None:
        self._s3 = queue.stage.aws.s3
        self.bucket = queue.name
        self.letter = letter
        self._s3.create_bucket(Bucket=self.bucket)
        self.put(letter)
        pointer = orjson.loads(letter)
        del pointer["record"]
        digest = hashlib.sha256(letter).hexdigest()
        pointer["recordAt"] = {
            "s3": f"s3://{self.bucket}/{CLAIM_CHECK}",
            "bytes": len(letter),
            "sha256": digest,
        }
        self.message = orjson.dumps(pointer)

    def put(self, text: bytes) -> None:
        self._s3.put_object(Bucket=self.bucket, Key=CLAIM_CHECK, Body=text)

    def is_there(self) -> bool:
        return bool(self._s3.list_objects_v2(Bucket=self.bucket).get("KeyCount"))

    def delete(self) -> None:
        self._s3.delete_object(Bucket=self.bucket, Key=CLAIM_CHECK)

    def delete_bucket(self) -> None:
        self.delete()
        self._s3.delete_bucket(Bucket=self.bucket)


@pytest.fixture
def claim(queue: Queue, stage: Stage) -> Claim:
    made = Claim(queue, stage.letter("large", padding=300_000))
    queue.send(made.message)
    return made


def test_a_claim_check_is_redeemed_and_its_object_goes_with_the_message(
    queue: Queue, stage: Stage, claim: Claim
) -> None:
    assert stage.redrive() == Ended(0, ["1 settled (1 applied)"])

    row = stage.row("large")
    assert row is not None
    assert row["padding"] == {"S": "x" * 300_000}
    assert (queue.visible(), claim.is_there()) == ([], False)


def test_a_message_that_was_sent_twice_is_settled_by_one_claim_check(
    queue: Queue, stage: Stage, claim: Claim
) -> None:
    for _ in range(60):  # in another batch than the first, and after it
        queue.send(stage.letter("filler"))
    queue.send(claim.message)

    ended = stage.redrive()

    assert (ended.code, queue.visible(), claim.is_there()) == (0, [], False)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda claim: claim.put(claim.letter + b" "), "ClaimCheckChanged", id="changed"),
        pytest.param(lambda claim: claim.delete(), "ClaimCheckMissing", id="gone"),
        pytest.param(lambda claim: claim.delete_bucket(), "ClaimCheckRefused", id="with its bucket"),
    ],
)
def test_a_claim_check_that_does_not_hold_keeps_its_message(
    queue: Queue, stage: Stage, claim: Claim, spoil: object, code: str
) -> None:
    assert callable(spoil)
    spoil(claim)

    ended = stage.redrive()

    assert (ended.code, code in ended.text) == (1, True)
    assert (queue.visible(), stage.row("large")) == ([claim.message], None)


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "s3://", "s3://a bucket/of nobody"])
def test_a_claim_check_that_points_nowhere_holds_up_no_other_letter(
    queue: Queue, stage: Stage, claim: Claim, uri: str
) -> None:
    message = orjson.loads(claim.message)
    message["recordAt"]["s3"] = uri
    queue.send(orjson.dumps(message), stage.letter("a"))

    ended = stage.redrive()

    assert (ended.code, ended.lines[0]) == (1, "2 settled (2 applied), 1 stay")
    assert "ClaimCheckRefused" in ended.text
    assert queue.visible() == [orjson.dumps(message)]


@pytest.mark.parametrize("dry_run", [False, True])
def test_messages_that_somebody_else_holds_are_told_of(queue: Queue, stage: Stage, *, dry_run: bool) -> None:
    queue.send(stage.letter("a"))
    stage.aws.sqs.receive_message(QueueUrl=queue.url, VisibilityTimeout=300)

    ended = stage.redrive(dry_run=dry_run)

    assert ended.lines[-1].startswith("about 1 more were hidden when it began")
