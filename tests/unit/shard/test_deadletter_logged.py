"""What the log says of dead letters."""

import json
from io import BytesIO

import pytest

from consumer.errors import Unavailable
from consumer.log import open_log
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.deadletter.logged import LoggedDeadLetters
from tests.support.letters import ORIGIN, letter_of
from tests.unit.shard.rig import Letters


async def test_each_letter_is_told_once_it_is_kept_and_once_when_it_cannot_be() -> None:
    written, place = BytesIO(), Letters(failures=2)
    letters = LoggedDeadLetters(place, ORIGIN, open_log(written))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await letters.write(letter_of(message="of customer Smith"))
    await letters.write(letter_of(message="of customer Smith"))

    lines = [json.loads(line) for line in written.getvalue().splitlines()]

    name = "shop/view/shardId-000000000001/1.3"
    assert [(line["event"], line["letter"], line.get("code") or line["reason"]) for line in lines] == [
        ("a dead letter can't be written", name, "DeadLetterFile"),
        ("a record went to the dead letter", name, "BadValue"),
    ]
    assert b"Smith" not in written.getvalue()
    assert len(place.kept) == 1


async def test_a_failure_that_nobody_foresaw_makes_the_record_wait_and_ends_no_process() -> None:
    class Broken:
        async def write(self, letter: DeadLetter) -> None:
            raise ZeroDivisionError("by the place")

    written = BytesIO()
    with pytest.raises(Unavailable, match="by the place") as raised:
        await LoggedDeadLetters(Broken(), ORIGIN, open_log(written)).write(letter_of())
    assert raised.value.code == "ZeroDivisionError"
    assert b"writing a dead letter failed" in written.getvalue()
