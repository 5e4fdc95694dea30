"""`--from`, in every form, and what it is where nobody says it."""

from pathlib import Path

import pytest

from consumer.commands.redrive.place import Lines, Objects, Place, Queue, default_place, place_of
from consumer.errors import SettingsError
from consumer.settings.model import Settings

LOCAL = "http://127.0.0.1:4566/000000000000/letters"
PUBLIC = "https://sqs.eu-west-1.amazonaws.com/123456789012/letters.fifo"


def settings(on_failure: object = None, **own: object) -> Settings:
    """Settings of two processors; `own`: where one of them sends its letters."""

    def processor(name: str) -> dict[str, object]:
        store = {"dynamodb": {"table": f"{name}-table"}}
        made: dict[str, object] = {"name": name, "projection": {"store": store, "key": {"id": "keys.id"}}}
        return made | ({"delivery": {"on_failure": own[name]}} if name in own else {})

    return Settings.model_validate(
        {
            "application": "shop",
            "source": {"kinesis": {"stream": "changes", "table": "orders"}},
            "delivery": {"on_failure": on_failure} if on_failure else {},
            "processors": [processor("one"), processor("two")],
        }
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (PUBLIC, Queue(url=PUBLIC)),
        (LOCAL, Queue(url=LOCAL)),
        ("sqs://letters", Queue(name="letters")),
        (f"sqs://{PUBLIC.removeprefix('https://')}", Queue(url=PUBLIC)),
        (f"sqs://{LOCAL.removeprefix('http://')}", Queue(url=LOCAL)),
        ("s3://bucket/prefix", Objects("s3://bucket/prefix")),
        ("s3://bucket", Objects("s3://bucket")),
        ("/var/lib/letters.jsonl", Lines(Path("/var/lib/letters.jsonl"))),
    ],
)
def test_a_place_is_told_by_how_it_is_written(text: str, place: Place) -> None:
    known = settings({"sqs": LOCAL}, one={"file": {"path": "/var/lib/letters.jsonl", "durable": True}})
    assert place_of(text, known) == place


@pytest.mark.parametrize("text", ["ftp://bucket", "sqs://", "s3://", "https://sqs.us-east-1.amazonaws.com/"])
def test_what_is_no_place_is_told_with_those_there_are(text: str) -> None:
    with pytest.raises(SettingsError, match="name an SQS queue"):
        place_of(text, settings())


def test_the_settings_place_is_meant_where_there_is_one() -> None:
    queue = {"sqs": LOCAL}
    assert default_place(settings(queue), None) == LOCAL
    assert default_place(settings({"s3": "s3://bucket/letters"}), None) == "s3://bucket/letters"
    assert default_place(settings(one=queue), None) == LOCAL
    assert default_place(settings({"s3": "s3://bucket/letters"}, one=queue), "one") == LOCAL


def test_several_places_are_told_and_so_is_none() -> None:
    with pytest.raises(SettingsError, match=rf"several places: {LOCAL}, s3://bucket/letters"):
        default_place(settings({"s3": "s3://bucket/letters"}, one={"sqs": LOCAL}), None)
    with pytest.raises(SettingsError, match=r"nowhere \(delivery\.on_failure\)"):
        default_place(settings(), None)
