"""Draws a history from a seed. What is rare in the world is common here."""

from collections.abc import Sequence
from random import Random

from consumer.record import EventName, Granularity
from consumer.shard.lanes import LanePolicy
from tests.property.storm.history import (
    BAD,
    OUT,
    Arrival,
    Course,
    Ending,
    Fate,
    FateKind,
    Fault,
    History,
    Value,
    Write,
)

_US, _MS = Granularity.MICROSECOND, Granularity.MILLISECOND
_NO_END = -1
_FOR_EVER = 1_000_000
_MOST_BAD = 3
"""Writes of a bad value in a history: fewer than what lanes take for an outage."""

_ONLY_EVENTS: tuple[tuple[EventName, ...] | None, ...] = (None, None, None, ("INSERT", "REMOVE"), ("MODIFY",))
_MOST_FATES = 12
"""Of a receiver: fewer than what lanes take for an outage."""

_LAST_ITEM = 50
_WIDE = 1_000

_GAPS = (
    (0, 1, 300),
    (0, 1, 300, 1_000, 400_000),
    (300, 1_000, 5_000),
    (1_000, 50_000, 900_000),
)
"""Microseconds between writes: ties in one microsecond, in one millisecond, or none."""


def draw(seed: int) -> History:
    """The history of a seed."""
    random = Random(seed)
    is_crowded = random.random() < 0.12
    courses_have_end = random.random() < 0.8
    view = _projection(random, _attempts(random, has_end=courses_have_end))
    is_blockable = view.policy.maximum_retry_attempts == _NO_END
    writes = _writes(random, is_crowded=is_crowded, has_bad=not is_blockable)
    arrivals = _arrivals(random, writes, loses_images=not is_blockable)
    calm_at = max(arrivals[-1].at, 5.0) + random.choice([1.0, 10.0, 30.0])
    # A run of rejected records ends with one that is not, and that every filter lets through.
    end = int(calm_at * 1e6)
    arrivals = (*arrivals, *(Arrival(calm_at + 1.0, len(writes) + number) for number in range(2)))
    writes = (*writes, Write(end, _LAST_ITEM, "a", _US), Write(end + 1_000, _LAST_ITEM, "b", _US))
    window_records = random.choice([3, 8, 20, _WIDE, _WIDE, _WIDE if is_crowded else 100])
    receivers = [
        _receiver(random, f"receiver-{number}", len(arrivals), _attempts(random, has_end=courses_have_end))
        for number in range(random.choice([1, 1, 2]))
    ]
    return History(
        seed=seed,
        writes=writes,
        arrivals=arrivals,
        courses=(view, *receivers),
        faults=_faults(
            random,
            [view.name, *(course.name for course in receivers)],
            calm_at,
            has_runs=window_records == _WIDE,
        ),
        endings=_endings(random),
        begins_at=random.choice([0.0, 0.0, 2.0, calm_at / 2]),
        calm_at=calm_at,
        when=random.choice([None, f"new.v != '{OUT}'"]),
        window_records=window_records,
        window_bytes=1_000_000 if window_records == _WIDE else random.choice([600, 2_000, 1_000_000]),
        message_records=random.choice([1, 3, 10, 100]),
        checkpoint_interval=random.choice([0.0, 0.5, 5.0]),
        refusal_rate=random.choice([0.0, 0.3]),
        stall_rate=random.choice([0.0, 0.02, 0.1]),
        is_replayed=random.random() < 0.2,
        jitter=random.choice([None, 0.99]),
    )


def _writes(random: Random, *, is_crowded: bool, has_bad: bool) -> tuple[Write, ...]:
    items = random.randint(20, 40) if is_crowded else random.choice([1, 1, 2, 3, 5])
    count = random.randint(40, 70) if is_crowded else random.randint(3, 30)
    clocks = random.choice([[_US], [_MS], [_US, _MS], [_US, _MS]])
    gaps = random.choice(_GAPS)
    values: list[Value] = random.choice([["a", "b", None], ["a", "b", OUT, None], ["a", "b", "c", OUT]])
    micros, bad = 0, 0
    held: dict[int, Value] = {}
    writes: list[Write] = []
    for _ in range(count):
        micros += random.choice(gaps)
        item, value = random.randrange(items), random.choice(values)
        if has_bad and bad < _MOST_BAD and random.random() < 0.08:
            value, bad = BAD, bad + 1
        if value == held.get(item):  # a write that changes nothing leaves no record
            continue
        held[item] = value
        writes.append(Write(micros, item, value, random.choice(clocks)))
    return tuple(writes) or (Write(0, 0, "a", _US),)


def _arrivals(random: Random, writes: Sequence[Write], *, loses_images: bool) -> tuple[Arrival, ...]:
    """Each write's record once or twice, some late, some swapped with their neighbours, some spoilt."""
    is_disordered, repeats = random.choice([0.0, 0.1, 0.4]), random.choice([0.0, 0.1, 0.3])
    spoilt = random.choice([0.0, 0.03])
    arrivals: list[Arrival] = []
    for index, write in enumerate(writes):
        copies = 2 if random.random() < repeats else 1
        for copy in range(copies):
            at = write.micros / 1e6 + 0.02 + index * 1e-6
            if random.random() < is_disordered:
                at += random.choice([2e-6, 1e-3, 0.5, 5.0])
            if copy:
                at += random.choice([1e-6, 0.01, 4.0])
            arrivals.append(Arrival(at, index))
        if random.random() < spoilt:
            arrivals.append(Arrival(at, index, random.choice(["of another table", "undecodable"])))
        if loses_images and random.random() < spoilt:
            arrivals.append(Arrival(at, index, "without images"))
    return tuple(sorted(arrivals, key=lambda arrival: arrival.at))


def _attempts(random: Random, *, has_end: bool) -> int:
    return random.choice([0, 1, 2, 5]) if has_end else _NO_END


def _projection(random: Random, attempts: int) -> Course:
    policy = LanePolicy(
        lanes=random.randint(1, 4),
        batch_size=random.choice([1, 2, 3, 5, 10]),
        coalesces=random.random() < 0.75,
        batching_window=random.choice([0.0, 0.0, 0.5]),
        maximum_retry_attempts=attempts,
        pauses_on_rejected_run=random.random() < 0.75,
    )
    return Course("view", policy, is_projection=True, only_items=_only_items(random))


def _receiver(random: Random, name: str, records: int, attempts: int) -> Course:
    policy = LanePolicy(
        lanes=random.randint(1, 4),
        batch_size=random.choice([1, 2, 3, 5, 10]),
        batching_window=random.choice([0.0, 0.0, 0.5]),
        maximum_retry_attempts=attempts,
        maximum_record_age=random.choice([None, None, 3.0, 30.0]),
        bisects=random.random() < 0.7,
        pauses_on_rejected_run=random.random() < 0.75,
    )
    kinds: list[FateKind] = random.choice(
        [["rejected", "refused"], ["rejected", "away"], ["raises"], ["raises", "breaks", "away", "rejected"]]
    )
    rate = random.choice([0.0, 0.05, 0.2])
    fates = [
        (record, _fate(random, random.choice(kinds), attempts))
        for record in range(records)
        if random.random() < rate
    ]
    return Course(
        name,
        policy,
        is_projection=False,
        is_careful=random.random() < 0.5,
        fates=tuple(fates[:_MOST_FATES]),
        only_items=_only_items(random),
        only_events=random.choice(_ONLY_EVENTS),
    )


def _only_items(random: Random) -> tuple[int, ...] | None:
    """Mostly no filter."""
    return random.choice([None, None, None, (0, 1, 2, _LAST_ITEM)])


def _fate(random: Random, kind: FateKind, attempts: int) -> Fate:
    """Some fail for good, some just often enough to be buried, some just not."""
    if kind in ("away", "breaks"):
        return Fate(kind, random.choice([1, 3]))
    if attempts == _NO_END:
        return Fate(kind, random.choice([1, 8, _FOR_EVER]), is_cured=True)
    return Fate(kind, random.choice([1, attempts, attempts + 1, _FOR_EVER]))


def _faults(
    random: Random, processors: Sequence[str], calm_at: float, *, has_runs: bool
) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    for where in [*processors, "letters", "source", "positions"]:
        for _ in range(random.choice([0, 0, 1, 2])):
            since = random.uniform(0, calm_at)
            until = min(calm_at, since + random.choice([0.5, 5.0, 60.0]))
            refuses = has_runs and where in processors and random.random() < 0.3
            rate = 1.0 if refuses else random.choice([0.1, 0.4, 1.0])
            faults.append(Fault(where, "refuses" if refuses else "away", since, until, rate))
    if has_runs and random.random() < 0.3:  # another schema, for about all the time
        faults.append(Fault(random.choice(processors), "refuses", random.uniform(0, 1), calm_at, 1.0))
    return tuple(faults)


def _endings(random: Random) -> tuple[Ending, ...]:
    return tuple(
        Ending(
            step=random.choice([random.randint(1, 15), random.randint(1, 150)]),
            how=random.choice(["killed", "killed", "stolen", "stolen", "drained"]),
            pause=random.choice([0.0, 1.0, 10.0]),
            lingers=random.choice([0.5, 5.0, 60.0]),
        )
        for _ in range(random.choice([0, 1, 2, 4]))
    )
