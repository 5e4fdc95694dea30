"""Redriving a place in S3."""

import pytest

from consumer.commands.redrive.s3 import BucketLetters
from consumer.errors import SettingsError
from tests.integration.redrive.conftest import Ended, Stage


class Bucket:
    """A bucket of dead letters."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.name = f"{stage.shop.prefix}-letters"
        stage.aws.s3.create_bucket(Bucket=self.name)
        stage.settings(f'{{ s3: "s3://{self.name}/dead" }}')

    def put(self, key: str, body: bytes) -> None:
        self.stage.aws.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def keys(self) -> list[str]:
        return [
            entry["Key"] for entry in self.stage.aws.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        ]


@pytest.fixture
def bucket(stage: Stage) -> Bucket:
    return Bucket(stage)


def test_settled_letters_leave_the_bucket_and_the_others_stay(bucket: Bucket, stage: Stage) -> None:
    bucket.put("dead/shop/view/1.json", stage.letter("a", "1"))
    bucket.put("dead/shop/picky/2.json", stage.letter("b", "2", processor="picky"))
    bucket.put("dead-not-these/3.json", stage.letter("c", "3"))

    ended = stage.redrive()

    assert (ended.code, ended.lines[0]) == (1, "1 settled (1 applied), 1 stay")
    assert f"s3://{bucket.name}/dead/shop/picky/2.json" in ended.text
    assert bucket.keys() == ["dead-not-these/3.json", "dead/shop/picky/2.json"]
    assert (stage.row("a") is None, stage.row("c")) == (False, None)


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ("", []),
        ("/dead/", ["other/2.json"]),
        ("/dead/1.json", ["other/2.json"]),
        ("/dea", ["dead/1.json", "other/2.json"]),
    ],
)
def test_a_place_is_a_bucket_a_folder_or_one_object(
    bucket: Bucket, stage: Stage, place: str, left: list[str]
) -> None:
    bucket.put("dead/1.json", stage.letter("a"))
    bucket.put("other/2.json", stage.letter("b"))

    assert stage.redrive(place=f"s3://{bucket.name}{place}").code == 0

    assert bucket.keys() == left


def test_what_belongs_to_a_queues_messages_is_left_alone(bucket: Bucket, stage: Stage) -> None:
    claims = f"s3://{bucket.name}/dead/large"
    stage.settings(f'{{ sqs: "{stage.queue()}", claim_check: "{claims}" }}')
    bucket.put("dead/large/1.json", stage.letter("a"))
    bucket.put("dead/2.json", stage.letter("b"))

    assert stage.redrive(place=f"s3://{bucket.name}/dead") == Ended(0, ["1 settled (1 applied)"])

    assert bucket.keys() == ["dead/large/1.json"]


async def test_an_object_that_was_written_again_meanwhile_stays(bucket: Bucket, stage: Stage) -> None:
    for key in ("dead/1.json", "dead/2.json", "dead/3.json"):
        bucket.put(key, b"first")
    source = BucketLetters(stage.aws.s3, f"s3://{bucket.name}/dead")
    found = await source.take(10)
    bucket.put("dead/1.json", b"second")
    stage.aws.s3.delete_object(Bucket=bucket.name, Key="dead/3.json")

    anew = await source.remove(found)

    assert [entry.key for entry in anew] == ["dead/1.json"]
    assert bucket.keys() == ["dead/1.json"]


async def test_more_objects_than_one_page_lists_are_all_found(bucket: Bucket, stage: Stage) -> None:
    for number in range(1_001):
        bucket.put(f"dead/{number:05}.json", b"x")
    source = BucketLetters(stage.aws.s3, f"s3://{bucket.name}/dead")

    keys: list[str] = []
    while found := await source.take(1_000):
        keys += [entry.key for entry in found]

    assert await source.count() == 1_001
    assert keys == [f"dead/{number:05}.json" for number in range(1_001)]


def test_a_bucket_that_is_not_there_is_told_with_what_to_do(stage: Stage) -> None:
    with pytest.raises(SettingsError, match=r"NoSuchBucket.*allow s3:ListBucket"):
        stage.redrive(place="s3://there-is-no-such-bucket/dead")


def test_objects_that_belong_to_a_queues_messages_are_not_redriven_by_themselves(stage: Stage) -> None:
    stage.settings('{ sqs: "https://sqs.us-east-1.amazonaws.com/1/q", claim_check: "s3://large/letters" }')

    with pytest.raises(SettingsError, match="redrive that queue"):
        stage.redrive(place="s3://large/letters/shop")


@pytest.mark.usefixtures("bucket")
def test_an_empty_place_is_nothing_to_do(stage: Stage) -> None:
    assert stage.redrive() == Ended(0, ["no letters"])
