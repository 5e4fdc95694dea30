"""Where the settings send letters: chosen, shared, and boto3 only for whom it is."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from consumer.settings.model import Delivery, OnFailure
from consumer.shard.deadletter.blocking import Lazy, Threads
from consumer.shard.deadletter.places import DeadLetterPlaces
from consumer.shard.deadletter.s3 import Bucket
from tests.support.letters import ORIGIN

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/letters"


def delivery(**on_failure: object) -> Delivery:
    return Delivery(on_failure=OnFailure.model_validate(on_failure))


@pytest.mark.parametrize(
    "on_failure",
    [
        {"sqs": QUEUE, "claim_check": "s3://bucket/large"},
        {"s3": "s3://bucket"},
        {"file": {"path": "/data/letters.jsonl", "durable": True}},
        {"s3": "s3://bucket", "sns": "arn:aws:sns:us-east-1:123456789012:letters"},
    ],
    ids="+".join,
)
def test_who_names_one_place_shares_it_and_who_names_another_has_another(on_failure: dict[str, Any]) -> None:
    places = DeadLetterPlaces(ORIGIN, "us-east-1", lambda *_: None)

    place = places.of(delivery(**on_failure))

    assert places.of(delivery(**on_failure)) is place
    assert places.of(delivery(s3="s3://another")) is not place


def test_a_shard_process_loads_boto3_with_its_first_letter_for_aws_and_not_before() -> None:
    program = f"""
import asyncio, sys
import consumer.shard.__main__
from consumer.errors import Unavailable
from consumer.settings.model import Delivery, OnFailure
from consumer.shard.deadletter.places import DeadLetterPlaces
from tests.support.letters import ORIGIN, letter_of
place = DeadLetterPlaces(ORIGIN, "us-east-1", print).of(Delivery(on_failure=OnFailure(sqs={QUEUE!r})))
print("boto3" in sys.modules or "botocore" in sys.modules)
try:
    asyncio.run(place.write(letter_of()))
except Unavailable as error:
    print("boto3" in sys.modules, error.code)
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"AWS_ENDPOINT_URL": "no endpoint", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.splitlines() == ["False", "True ValueError"]


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://bucket", "a/b.json"),
        ("s3://bucket/", "a/b.json"),
        ("s3://bucket/dead/letters/", "dead/letters/a/b.json"),
        ("s3://bucket/dead", "dead/a/b.json"),
    ],
)
def test_an_object_stands_below_the_prefix(uri: str, key: str) -> None:
    puts: list[dict[str, Any]] = []

    class S3:
        def put_object(self, **put: object) -> dict[str, str]:
            puts.append(put)
            return {"ETag": "1"}

    client: Lazy[Any] = Lazy(S3)

    assert Bucket(uri, "delivery.on_failure.s3", client).put("a/b.json", b"{}") == f"s3://bucket/{key}"
    assert [(put["Bucket"], put["Key"], put["Body"]) for put in puts] == [("bucket", key, b"{}")]


async def test_what_is_lazy_is_made_once_by_threads_that_ask_at_once_and_anew_after_a_failure() -> None:
    made: Iterator[OSError | str] = iter([OSError("not yet"), "client", "another"])

    def make() -> str:
        result = next(made)
        if isinstance(result, OSError):
            raise result
        return result

    lazy = Lazy(make)
    with pytest.raises(OSError, match="not yet"):
        lazy()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(lazy())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["client"] * 8


async def test_calls_wait_their_turn_for_a_thread() -> None:
    threads, running, most, lock = Threads(3, "test"), 0, 0, threading.Lock()
    both = threading.Barrier(3)

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(20)
        with lock:
            running -= 1

    await asyncio.gather(*(threads.run(call) for _ in range(12)))
    assert most == 3
