"""What happens to one shard, as values. Times are seconds since the beginning."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from consumer.filters.mistakes import Json
from consumer.record import EventName, Granularity, Image, StreamRecord
from consumer.shard.lanes import LanePolicy
from tests.support.changes import TABLE, envelope, in_stream

EPOCH = 1_700_000_000
"""The beginning, in Unix seconds."""

BAD = "bad"
"""A value that the read model's table refuses for good."""

OUT = "out"
"""A value that `when` keeps out of the read model."""

Value = str | None
"""An item's one attribute; None: the item does not exist."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write to the source table."""

    micros: int
    item: int
    value: Value
    granularity: Granularity


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record of the shard and when the shard holds it. `write`: its index; several may carry one write."""

    at: float
    write: int
    kind: Literal["change", "without images", "of another table", "undecodable"] = "change"


FateKind = Literal["rejected", "refused", "away", "raises", "breaks"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What a record meets at a receiver the first `times` times in a tenure.

    Rejected by the receiver, or refused by its store, or found away; or it makes the whole batch raise
    Rejected, or an exception without a name. `is_cured`: not any more once the faults are over.
    """

    kind: FateKind
    times: int
    is_cured: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """A processor: a projection, or a receiver of events with its records' fates by arrival.

    A careful receiver tries nothing more of an item once one of its records failed. `only_items` and
    `only_events`: what the processor's filter lets through, None for all.
    """

    name: str
    policy: LanePolicy
    is_projection: bool
    is_careful: bool = True
    fates: tuple[tuple[int, Fate], ...] = ()
    only_items: tuple[int, ...] | None = None
    only_events: tuple[EventName, ...] | None = None

    def patterns(self) -> list[dict[str, Json]]:
        """The filter's event patterns; none where everything passes."""
        pattern: dict[str, Json] = {}
        if self.only_items is not None:
            pattern["dynamodb"] = {
                "Keys": {"id": {"S": [{"prefix": f"{item}-"} for item in self.only_items]}}
            }
        if self.only_events is not None:
            pattern["eventName"] = list(self.only_events)
        return [pattern] if pattern else []


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a store does for a while: at `rate` of its calls it is away, or refuses any record."""

    where: str
    kind: Literal["away", "refuses"]
    since: float
    until: float
    rate: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How a tenure ends at its n-th step, and how long it takes the next one to begin.

    killed: at once. stolen: the next one begins while this one goes on, until it notices or for `lingers`
    seconds. drained: it is asked to stop.
    """

    step: int
    how: Literal["killed", "stolen", "drained"]
    pause: float
    lingers: float


@dataclass(frozen=True, slots=True)
class History:
    """One shard's."""

    seed: int
    writes: tuple[Write, ...]
    arrivals: tuple[Arrival, ...]
    courses: tuple[Course, ...]
    faults: tuple[Fault, ...]
    endings: tuple[Ending, ...]
    begins_at: float
    calm_at: float
    when: str | None
    window_records: int
    window_bytes: int
    message_records: int
    checkpoint_interval: float
    refusal_rate: float
    stall_rate: float
    is_replayed: bool
    jitter: float | None
    """What the lanes' random number is at all times; None: random."""

    def stream(self, names: Sequence[str]) -> list[tuple[float, StreamRecord]]:
        """The shard's records, and when it holds each; the n-th arrival's number is n + 1."""
        olds = self.old_values()
        return [
            (arrival.at, in_stream(self._data(arrival, names, olds), number))
            for number, arrival in enumerate(self.arrivals, 1)
        ]

    def old_values(self) -> list[Value]:
        """What each write found."""
        held: dict[int, Value] = {}
        olds: list[Value] = []
        for write in self.writes:
            olds.append(held.get(write.item))
            held[write.item] = write.value
        return olds

    def _data(self, arrival: Arrival, names: Sequence[str], olds: Sequence[Value]) -> bytes:
        if arrival.kind == "undecodable":
            return b"not JSON"
        write, old = self.writes[arrival.write], olds[arrival.write]
        event: EventName = "REMOVE" if write.value is None else "INSERT" if old is None else "MODIFY"
        has_images = arrival.kind != "without images"
        return envelope(
            event,
            {"id": {"S": names[write.item]}},
            EPOCH * 1_000_000 + write.micros,
            new=image_of(names[write.item], write.value) if has_images else None,
            old=image_of(names[write.item], old) if has_images else None,
            granularity=write.granularity,
            table="another" if arrival.kind == "of another table" else TABLE,
        )


def image_of(item: str, value: Value) -> Image | None:
    """The item as the source table holds it."""
    return None if value is None else {"id": {"S": item}, "v": {"S": value}}
