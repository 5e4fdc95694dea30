"""Stands before one processor of one tenure: sees every batch, its outcomes, what is settled and buried.

What it knows of an item is the queue of its records that are not done yet. A batch may only hold the first
records of such queues, in their order; a record leaves its queue when its outcome says that it is done and no
earlier one of its item failed in the batch, or when its dead letter is kept.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import Outcome, Processor, failed
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import DeadLetter
from consumer.shard.lanes import Ticket
from tests.property.storm.history import Course
from tests.property.storm.outage import StoreSeen
from tests.property.storm.world import World

_TICK = 1e-6
_DONE = ("applied", "stale", "skipped")


class Witness:
    """Meets the Processor protocol."""

    def __init__(
        self, world: World, course: Course, who: str, processor: Processor, is_stopping: Callable[[], bool]
    ) -> None:
        self._world = world
        self._course = course
        self._who = f"{who}/{course.name}"
        self._processor = processor
        self._is_stopping = is_stopping
        self._queues: dict[str, list[int]] = {}
        self._busy: set[str] = set()
        self._running = 0
        self._ended: set[int] = set()
        self._settled: set[int] = set()
        self._raised: Counter[tuple[int, ...]] = Counter()
        self._given_up: set[int] = set()
        self._not_before: dict[int, float] = {}
        self._rejections: Counter[int] = Counter()
        self._store = StoreSeen(has_runs=course.policy.pauses_on_rejected_run)

    def arrived(self, numbers: Sequence[int]) -> None:
        """These are given to the path; the lanes only see what concerns them."""
        for number in numbers:
            change = self._world.truth.change(number)
            if change is not None and self._world.truth.concerns(self._course, number):
                self._queues.setdefault(change.item, []).append(number)

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Pass on."""
        self._world.note(self._who, "begins", *map(_number, records))
        self._check_batch(records)
        items = {record.item for record in records}
        self._busy |= items
        self._running += 1
        answers = self._store.answers
        try:
            outcomes = await self._processor.process(records)
        except Exception as error:
            self._world.note(self._who, "raises", repr(error))
            self._hear_error(records, error, answers)
            raise
        finally:
            self._busy -= items
            self._running -= 1
        self._world.note(self._who, "ends", *(outcome.kind for outcome in outcomes))
        self._hear(records, outcomes, answers)
        return outcomes

    def settle(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        """The lanes say that these are done for good."""
        if len(tickets) != len(outcomes):
            self._broken(f"settles {len(tickets)} records with {len(outcomes)} outcomes")
        for _, change in tickets:
            number = _number(change)
            self._world.note(self._who, "settles", number)
            if number in self._settled:
                self._broken(f"settled {number} twice")
            self._settled.add(number)
            if self._course.policy.coalesces and self._queues[change.item][:1] == [number]:
                self._leave_queue(number)  # it was taken as one with others
            if number not in self._ended:
                self._broken(f"settled {number}, which is neither done nor buried")
            if not self._world.is_settled(self._course.name, number):
                self._broken(f"settled {number}, which never came to its end")

    def check_letter(self, letter: DeadLetter) -> None:
        """See that a record is buried for its own fault, after all the tries that it is due."""
        if self._is_stopping():
            self._broken("began to bury a record after it was stopped")
        number, policy, attempts = _number(letter.change), self._course.policy, letter.attempts
        counted = self._rejections[number]
        if letter.record is not self._world.truth.records[number - 1]:
            self._broken(f"the letter of {number} holds another record")
        if letter.error.code == "RecordTooOld":
            if not self._is_too_old(letter.change):
                self._broken(f"buried {number} as too old, which it isn't")
            if policy.bisects and attempts != counted:
                self._broken(f"buried {number} with {attempts} attempts, but it was rejected {counted} times")
            return
        if policy.maximum_retry_attempts < 0 or attempts != policy.maximum_retry_attempts + 1:
            self._broken(f"buried {number} after {attempts} attempts")
        # A batch that was kept together is counted as one: who leaves it begins anew.
        if counted != attempts and (policy.bisects or counted < attempts):
            self._broken(f"buried {number} with {attempts} attempts, but it was rejected {counted} times")

    def kept_letter(self, letter: DeadLetter) -> None:
        """The record came to its end in a dead letter."""
        self._leave_queue(_number(letter.change))

    def _check_batch(self, records: Sequence[ChangeRecord]) -> None:
        policy = self._course.policy
        self._check_limits(records)
        begun: dict[str, list[ChangeRecord]] = {}
        for record in records:
            begun.setdefault(record.item, []).append(record)
        for item, changes in begun.items():
            numbers, queue = [_number(change) for change in changes], self._queues.get(item, [])
            if item in self._busy:
                self._broken(f"began {numbers} while a batch with their item is under way")
            if policy.coalesces and len(numbers) > 1:
                self._broken(f"began {numbers} of one item at once, though it coalesces")
            if not self._is_original(changes[0]):
                self._world.note(self._who, "takes several as one")
                # Of which records it is made, their settling shows.
                is_in_order = policy.coalesces and numbers[0] in queue
            else:
                is_in_order = numbers == queue[: len(numbers)]
            if not is_in_order:
                self._broken(f"began {numbers}, but of their item {queue} are not done")

    def _check_limits(self, records: Sequence[ChangeRecord]) -> None:
        policy = self._course.policy
        if self._is_stopping():
            self._broken("began a batch after it was stopped")
        if self._store.is_away and policy.bisects and len(records) > 1:
            self._broken(f"began {len(records)} records while the store is away")
        if not 0 < len(records) <= policy.batch_size:
            self._broken(f"began {len(records)} records at once")
        if self._running >= policy.lanes:
            self._broken(f"began more than {policy.lanes} batches side by side")
        if not self._given_up.isdisjoint(map(_number, records)):
            self._broken("began a record of a batch that was to be buried as a whole")
        for record in records:
            if (
                self._is_original(record)
                and self._world.now < self._not_before.get(_number(record), 0.0) - _TICK
            ):
                self._broken(f"began {_number(record)} again before its back-off is over")
            if policy.maximum_record_age is not None and self._is_too_old(record):
                self._broken(f"began {_number(record)}, which is too old")

    def _is_original(self, record: ChangeRecord) -> bool:
        """One change of the stream, not several taken as one."""
        return record is self._world.truth.change(_number(record))

    def _hear_error(self, records: Sequence[ChangeRecord], error: Exception, answers: int) -> None:
        if isinstance(error, Unavailable) or len(records) == 1:
            away = Unavailable("no name", code="NoName")
            outcome = failed(error if isinstance(error, Rejected | Unavailable) else away)
            self._hear(records, [outcome] * len(records), answers)
        elif isinstance(error, Rejected) and not self._course.policy.bisects:
            together = tuple(map(_number, records))
            self._rejections.update(together)
            self._raised[together] += 1
            if self._course.policy.is_last(self._raised[together]):
                self._given_up.update(together)

    def _hear(self, records: Sequence[ChangeRecord], outcomes: Sequence[Outcome], answers: int) -> None:
        """What comes behind an item's first failure in a batch was in vain, whatever its outcome says."""
        failing: set[str] = set()
        tried: list[tuple[int, Outcome]] = []
        for record, outcome in zip(records, outcomes, strict=True):
            if record.item in failing:
                continue
            tried.append((_number(record), outcome))
            if outcome.kind not in _DONE:
                failing.add(record.item)
            elif self._is_original(record):
                self._leave_queue(_number(record))
        # Several taken as one are rejected for nobody: they are taken apart.
        originals = {_number(record) for record in records if self._is_original(record)}
        counted = self._store.hear(tried, answers) & originals
        self._rejections.update(counted)
        self._expect_backoff(counted, tried)

    def _expect_backoff(self, counted: set[int], tried: list[tuple[int, Outcome]]) -> None:
        """What was rejected, and not for the store's sake, is not tried again at once."""
        if self._world.history.jitter is None:
            return
        pause = self._course.policy.backoff.delay(1, self._world.history.jitter)
        for number, outcome in tried:
            if number in counted and isinstance(outcome.error, Rejected) and not outcome.error.by_store:
                self._not_before[number] = self._world.now + pause

    def _leave_queue(self, number: int) -> None:
        self._ended.add(number)
        change = self._world.truth.change(number)
        queue = self._queues[change.item] if change is not None else []
        if number in queue:
            queue.remove(number)

    def _is_too_old(self, change: ChangeRecord | None) -> bool:
        limit = self._course.policy.maximum_record_age
        return limit is not None and change is not None and self._world.clock() - change.micros / 1e6 > limit

    def _broken(self, sentence: str) -> None:
        self._world.broken(f"{self._who} {sentence}")


def _number(change: ChangeRecord | None) -> int:
    assert change is not None
    return int(change.stream.sequence_number)
