"""What a processor is, and what it says of each record."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol, cast, runtime_checkable

import orjson

from consumer.errors import Rejected, Unavailable
from consumer.record import ChangeRecord
from consumer.settings.model import Processor as ProcessorSettings
from consumer.settings.stores import WAYS_TO_A_STORE

OutcomeKind = Literal["applied", "stale", "skipped", "filtered", "failed", "held"]


class Outcome(NamedTuple):
    """What became of one record.

    `stale`: the target already holds this change or a newer one; `skipped`: none of its business; `filtered`:
    its filters leave it out; `held`: not tried, since an earlier record of its item failed, or the process is
    about to end.
    """

    kind: OutcomeKind
    error: Rejected | Unavailable | None = None


APPLIED = Outcome("applied")
STALE = Outcome("stale")
SKIPPED = Outcome("skipped")
HELD = Outcome("held")


def failed(error: Rejected | Unavailable) -> Outcome:
    """The record is not applied; the error tells whether to wait or to count an attempt."""
    return Outcome("failed", error)


class Above(NamedTuple):
    """A sum that was written above the number in its row that it should not be above.

    `group` is the row's key as text, `limit` the number's name.
    """

    name: str
    group: str
    value: Decimal
    limit: str
    limit_value: Decimal


@dataclass(frozen=True, slots=True)
class ProcessorTools:
    """What processors are handed, so that tests bring their own.

    Attributes:
        clock: Unix seconds.
        uniform: a random number in [0, 1), for jitter.
        on_tie: told of each change that ties with what the target holds.
        is_stopping: from then on no write is begun, and what was not is held.
        on_conflict: told of each write that another writer's came in the way of.
        on_above: told of each sum that was written above the number it should not be above.
    """

    clock: Callable[[], float]
    uniform: Callable[[], float]
    on_tie: Callable[[], None] = lambda: None
    is_stopping: Callable[[], bool] = lambda: False
    on_conflict: Callable[[], None] = lambda: None
    on_above: Callable[[Above], None] = lambda _: None


class Processor(Protocol):
    """Keeps one target true to the source."""

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Carry out the records, an item's in the order given; one outcome per record, in the same order.

        Where it can't tell which of them is at fault it raises, and the batch is halved.

        Raises:
            Rejected: some record is at fault.
            Unavailable: none is.
        """
        ...


@runtime_checkable
class StateProcessor(Processor, Protocol):
    """A processor whose target is made equal to the source, so that the source itself can settle a change."""

    @property
    def tombstones_last(self) -> float | None:
        """Seconds for which a deletion is surely remembered; None: for ever."""
        ...

    async def settle_by_source(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Carry out what the source holds now at each change's version; one outcome per record.

        For changes that are so old that a later deletion may be forgotten.
        """
        ...


_WITHOUT_EFFECT = cast(
    "dict[str, bool]",  # pydantic says which forms it takes
    {
        "projection": {"adopt": True, "key_wait": True, "store": WAYS_TO_A_STORE},
        "aggregate": {"warn_above": True, "store": WAYS_TO_A_STORE},
    },
)
"""What may change without the target becoming wrong."""


def fingerprint(processor: ProcessorSettings) -> str:
    """16 hexadecimal digits of the settings that decide what the target holds: another asks for a rebuild."""
    # Without defaults, lest a setting that a later version adds changes every fingerprint there is.
    effect = processor.model_dump(
        mode="json",
        include={"projection", "aggregate", "filters"},
        exclude=_WITHOUT_EFFECT,
        exclude_defaults=True,
    )
    aggregate = effect.get("aggregate")
    if aggregate is not None and aggregate.get("on_expiry") == "remove":
        del aggregate["on_expiry"]  # what it does unless told otherwise, and told once the table has TTL
    names = _ordered_key(processor)
    if names != sorted(names):
        effect["order"] = names
    return hashlib.blake2b(orjson.dumps(effect, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _ordered_key(processor: ProcessorSettings) -> list[str]:
    """The names of a row's key where their order tells which row is meant: in ledgers, and documents' ids.

    The ledger of a projection into DynamoDB goes by the table's own order.
    """
    if processor.aggregate is not None:
        return list(processor.aggregate.group_by)
    projection = processor.projection
    return [] if projection is None or projection.store.dynamodb is not None else list(projection.key)
