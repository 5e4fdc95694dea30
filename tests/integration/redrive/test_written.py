"""What shard processes keep is what a redrive settles, wherever they keep it."""

from collections.abc import Callable

import pytest

from consumer.errors import Rejected
from consumer.record import Image
from consumer.settings.load import load_settings
from consumer.shard.deadletter.letter import DeadLetter, Origin
from consumer.shard.deadletter.places import DeadLetterPlaces
from consumer.shard.envelopes import decode
from tests.integration.redrive.conftest import SHARD, Ended, Stage
from tests.support.changes import envelope, in_stream


def a_queue(stage: Stage) -> str:
    stage.aws.s3.create_bucket(Bucket=stage.shop.prefix)
    return f'{{ sqs: "{stage.queue()}", claim_check: "s3://{stage.shop.prefix}/large" }}'


def a_bucket(stage: Stage) -> str:
    stage.aws.s3.create_bucket(Bucket=stage.shop.prefix)
    return f'{{ s3: "s3://{stage.shop.prefix}/letters" }}'


def a_file(stage: Stage) -> str:
    return f"{{ file: {{ path: {stage.directory / 'letters.jsonl'}, durable: true }} }}"


@pytest.mark.parametrize("place", [a_queue, a_bucket, a_file])
async def test_letters_of_any_size_are_redriven_from_where_they_were_written(
    stage: Stage, place: Callable[[Stage], str]
) -> None:
    settings = load_settings(stage.settings(place(stage)))
    origin = Origin(stage.shop.prefix, stage.shop.stream, SHARD)
    letters = DeadLetterPlaces(origin, "us-east-1", lambda *_: None).of(settings.delivery)
    sizes = {"small": 10, "large": 350_000}
    for number, (item, size) in enumerate(sizes.items()):
        image: Image = {"id": {"S": item}, "v": {"S": "x" * size}}
        data = envelope(
            "MODIFY",
            {"id": {"S": item}},
            1_700_000_000_000_000,
            new=image,
            old={**image, "v": {"S": "é" * size}},
            table=stage.shop.orders,
        )
        record = in_stream(data, number + 1)
        error = Rejected("no", code="BadValue")
        await letters.write(DeadLetter("view", record, error, 6, decode(record)))
        stage.put_text(item, "x" * size)  # the letter is old: settled by what the source holds

    ended = await stage.redriven()

    assert ended == Ended(0, ["2 settled (2 applied)"])
    for item, size in sizes.items():
        assert stage.row(item) == {"id": {"S": item}, "v": {"S": "x" * size}}
    assert await stage.redriven() == Ended(0, ["no letters"])
    if place is not a_file:
        assert "Contents" not in stage.aws.s3.list_objects_v2(Bucket=stage.shop.prefix)
