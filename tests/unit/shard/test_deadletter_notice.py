"""A topic that is told of letters: what of, and that nothing waits for it."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumer.errors import Rejected, Unavailable
from consumer.shard.deadletter.blocking import Lazy, Threads
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.deadletter.notice import Noticed, Topic
from tests.support.changes import put
from tests.support.letters import ORIGIN, clock, letter_of
from tests.unit.shard.rig import Letters

ARN = "arn:aws:sns:us-east-1:123456789012:dead-letters"


@dataclass(slots=True)
class Sns:
    """Publishes once it is let; fails with the errors given first."""

    errors: list[Exception] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    let: threading.Event = field(default_factory=threading.Event)

    def publish(self, **message: object) -> None:
        assert self.let.wait(20)
        if self.errors:
            raise self.errors.pop(0)
        self.published.append(message)


@dataclass(slots=True)
class Bench:
    """Letters in memory, with notices to a topic."""

    sns: Sns = field(default_factory=Sns)
    kept: Letters = field(default_factory=Letters)
    failures: list[tuple[str | None, str]] = field(default_factory=list)

    def noticed(self, arn: str = ARN) -> Noticed:
        client: Lazy[Any] = Lazy(lambda: self.sns)
        topic = Topic(arn, client, ORIGIN, clock)
        return Noticed(self.kept, topic, Threads(2, "test"), self._failed)

    def _failed(self, processor: str | None, error: Unavailable) -> None:
        self.failures.append((processor, error.code))

    async def until_told(self, notices: int) -> None:
        while len(self.sns.published) + len(self.failures) < notices:  # noqa: ASYNC110 - threads set no event
            await asyncio.sleep(0.001)


async def test_a_notice_says_what_died_and_why_and_holds_no_record() -> None:
    bench = Bench()
    bench.sns.let.set()
    change = put("A-1", 1_700_000_000_000_000, name="secret")
    letter = DeadLetter("view", change.stream, Rejected("x" * 400_000, code="BadValue"), 6, change)

    await bench.noticed().write(letter)
    await bench.until_told(1)

    (message,) = bench.sns.published
    assert message["TopicArn"] == ARN
    notice = json.loads(message["Message"])
    assert set(notice) == {"id", "application", "processor", "failedAt", "error", "source", "change"}
    assert notice["change"]["keys"] == {"id": {"S": "A-1"}}
    assert notice["error"] == {"type": "Rejected", "code": "BadValue", "message": "x" * 2_000, "attempts": 6}
    assert message["MessageAttributes"]["processor"]["StringValue"] == "view"
    assert bench.kept.kept == [letter]


async def test_a_letter_that_could_not_be_kept_is_not_told_of() -> None:
    bench = Bench(kept=Letters(failures=1))
    bench.sns.let.set()
    noticed = bench.noticed()
    with pytest.raises(Unavailable, match="the volume is full"):
        await noticed.write(letter_of())
    await noticed.write(letter_of(number=2))
    await bench.until_told(1)
    told = [json.loads(message["Message"])["source"]["sequenceNumber"] for message in bench.sns.published]
    assert told == ["2"]


async def test_a_topic_that_fails_holds_up_no_letter_and_is_counted() -> None:
    refused = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")
    bench = Bench(sns=Sns(errors=[refused, ValueError("Invalid endpoint: x")]))
    bench.sns.let.set()
    noticed = bench.noticed()

    for number in (1, 2):
        await noticed.write(letter_of(number=number))
    await bench.until_told(2)

    assert len(bench.kept.kept) == 2
    assert sorted(bench.failures, key=str) == [("view", "AuthorizationError"), ("view", "ValueError")]


async def test_a_topic_that_does_not_answer_holds_up_no_letter_and_notices_do_not_pile_up() -> None:
    bench = Bench()
    noticed = bench.noticed()

    for number in range(103):
        await noticed.write(letter_of(number=number))

    assert len(bench.kept.kept) == 103
    assert bench.failures == [("view", "TooManyNotices")] * 3
    bench.sns.let.set()
    await bench.until_told(103)
    assert len(bench.sns.published) == 100


async def test_a_fifo_topic_is_told_what_the_letter_is_known_by() -> None:
    bench = Bench()
    bench.sns.let.set()
    await bench.noticed(f"{ARN}.fifo").write(letter_of())
    await bench.until_told(1)
    assert len(bench.sns.published[0]["MessageGroupId"]) == 64
    assert len(bench.sns.published[0]["MessageDeduplicationId"]) == 64
