"""What lanes are told and handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consumer.log import Logger
from consumer.processors.base import Outcome
from consumer.record import ChangeRecord
from consumer.shard.lanes.coalescing import StandsAlone
from consumer.shard.retry import Backoff

Ticket = tuple[int, ChangeRecord]
"""A record and its ordinal in the frontier."""

Settle = Callable[[Sequence[Ticket], Sequence[Outcome]], None]
"""Told of tickets that are done for good: applied, stale, skipped, or failed and kept in a dead letter."""

NO_END = -1
"""maximum_retry_attempts: a rejected record is tried for ever."""


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """How a processor's records are delivered.

    Attributes:
        lanes: how many run side by side.
        batch_size: most records a lane takes at once; where it coalesces, most items, and changes of each.
        coalesces: changes of an item that wait may be taken as one, since only the target's state counts.
        stands_alone: of these, which may not; None: all may.
        batching_window: seconds a lane waits for a batch to fill.
        maximum_retry_attempts: tries after the first before a rejected record is buried, or NO_END.
        maximum_record_age: seconds since its change after which a record is buried untried; None: no limit.
        bisects: a batch that is rejected as a whole is halved; else it is tried again as it is.
        pauses_on_rejected_run: many different records rejected in a row are taken for an outage.
        backoff: how long to wait before another try.
    """

    lanes: int
    batch_size: int
    coalesces: bool = False
    stands_alone: StandsAlone | None = None
    batching_window: float = 0.0
    maximum_retry_attempts: int = 5
    maximum_record_age: float | None = None
    bisects: bool = True
    pauses_on_rejected_run: bool = True
    backoff: Backoff = field(default_factory=Backoff)

    def is_last(self, attempts: int) -> bool:
        """Whether a record that was rejected so many times is not tried again."""
        return self.maximum_retry_attempts != NO_END and attempts > self.maximum_retry_attempts


@dataclass(slots=True)
class Trouble:
    """What a person should know of a processor that can't go on. `since` is in Unix seconds."""

    since: float | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class LaneTools:
    """What lanes are handed, so that tests bring their own; `clock` tells Unix seconds."""

    clock: Callable[[], float]
    uniform: Callable[[], float]
    log: Logger
    on_retry: Callable[[], None] = lambda: None
    on_dead_letter: Callable[[], None] = lambda: None
    on_dead_letter_failure: Callable[[], None] = lambda: None
    on_rejected_run: Callable[[], None] = lambda: None
    trouble: Trouble = field(default_factory=Trouble)
