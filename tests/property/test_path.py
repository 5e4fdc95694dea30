"""No place is ever checkpointable while a record up to it is unsettled with any processor."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from consumer.errors import Rejected, Unavailable
from consumer.log import open_log
from consumer.metrics import Metrics
from consumer.processors.base import APPLIED, SKIPPED, STALE, Outcome, failed
from consumer.record import ChangeRecord, StreamRecord
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.lanes import LanePolicy, Lanes, LaneTools, Settle
from consumer.shard.path import RecordPath, decode_all
from consumer.shard.window import Window
from tests.support.changes import TABLE, envelope, in_stream
from tests.support.interleaving import Interleaver

PROCESSORS = ("view", "audit")
FATES = ("applied", "applied", "applied", "stale", "skipped", "away", "rejected", "raises")
OUTCOMES = {
    "applied": APPLIED,
    "stale": STALE,
    "skipped": SKIPPED,
    "away": failed(Unavailable("away", code="Away")),
    "rejected": failed(Rejected("bad", code="Bad")),
}


class Evidence:
    """What is known to be done for good: by processor, or kept in a dead letter, by sequence number."""

    def __init__(self) -> None:
        self.done: dict[str, set[str]] = defaultdict(set)

    def settles(self, name: str, number: str) -> bool:
        return number in self.done[name]


class ChanceProcessor:
    """Ends each record as the dice say, at its turn."""

    def __init__(self, name: str, evidence: Evidence, interleaver: Interleaver, random: Random) -> None:
        self._name = name
        self._evidence = evidence
        self._interleaver = interleaver
        self._random = random

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        await self._interleaver.pause("process")
        fates = [self._random.choice(FATES) for _ in records]
        if "raises" in fates:
            raise ZeroDivisionError
        for record, fate in zip(records, fates, strict=True):
            if OUTCOMES[fate].error is None:
                self._evidence.done[self._name].add(record.stream.sequence_number)
        return [OUTCOMES[fate] for fate in fates]


class ChanceLetters:
    """Keeps a letter at its turn, or can't."""

    def __init__(self, evidence: Evidence, interleaver: Interleaver, random: Random) -> None:
        self._evidence = evidence
        self._interleaver = interleaver
        self._random = random

    async def write(self, letter: DeadLetter) -> None:
        await self._interleaver.pause("write")
        if self._random.random() < 0.3:
            raise Unavailable("full", code="DeadLetterFile")
        for name in PROCESSORS if letter.processor is None else (letter.processor,):
            self._evidence.done[name].add(letter.record.sequence_number)


def record(kind: str, number: int) -> StreamRecord:
    keys = {"id": {"S": kind}}
    data = envelope("INSERT", keys, 1, new={"id": {"S": kind}}, table="other" if kind == "other" else TABLE)
    return in_stream(b"not JSON" if kind == "poison" else data, number)


def make_path(evidence: Evidence, interleaver: Interleaver, random: Random, window: Window) -> RecordPath:
    letters = ChanceLetters(evidence, interleaver, random)

    def lanes(name: str, settle: Settle) -> Lanes:
        return Lanes(
            name,
            ChanceProcessor(name, evidence, interleaver, random),
            LanePolicy(lanes=3, batch_size=2, maximum_retry_attempts=1),
            letters,
            settle,
            LaneTools(clock=lambda: 0.0, uniform=lambda: 0.0, log=open_log(BytesIO())),
        )

    return RecordPath(
        table=TABLE,
        processors=PROCESSORS,
        lanes=lanes,
        dead_letters=letters,
        window=window,
        metrics=Metrics(CollectorRegistry()),
        uniform=lambda: 0.0,
    )


def check(path: RecordPath, evidence: Evidence, stream: Sequence[StreamRecord], kinds: Sequence[str]) -> None:
    """Everything up to the frontier is done by every processor, and everything up to its own by each."""
    for name in PROCESSORS:
        for low in (path.frontier.low, path.frontier.last_of(name)):
            settled = 0 if low is None else int(low.sequence_number)
            for entry, kind in zip(stream[:settled], kinds, strict=False):
                assert kind == "other" or evidence.settles(name, entry.sequence_number)


@given(
    st.lists(st.sampled_from(["x", "y", "z", "other", "poison"]), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(0, 2**32).map(Random),
    st.booleans(),
)
def test_the_frontier_never_passes_a_record_that_is_not_settled_by_all(
    kinds: list[str],
    portion: int,
    random: Random,
    is_stopped: bool,  # noqa: FBT001 - hypothesis gives arguments by place
) -> None:
    async def scenario() -> None:
        evidence, interleaver = Evidence(), Interleaver(random)
        window = Window(records=100, size=1_000_000)
        path = make_path(evidence, interleaver, random, window)
        stream = [record(kind, number) for number, kind in enumerate(kinds, 1)]
        running = asyncio.create_task(path.run())
        given_over = 0
        while path.frontier.settled < len(stream):
            if given_over < len(stream) and random.random() < 0.3:
                message = stream[given_over : given_over + portion]
                window.admit(len(message), len(message))
                path.accept(message, decode_all(message))
                given_over += len(message)
            await interleaver.step()
            check(path, evidence, stream, kinds)
            if is_stopped and random.random() < 0.1:
                break
        path.stop()
        while not running.done():
            await interleaver.step()
            check(path, evidence, stream, kinds)
        await running
        assert window.records == given_over - path.frontier.settled

    asyncio.run(scenario())
