"""What happens to one table, as values.

A test that fails prints its history; pasted into known.py, it is carried out in every run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Literal, NamedTuple

from consumer.attributes import Plain
from consumer.record import EventName, Granularity, Image
from consumer.shard.envelopes import decode
from tests.support.changes import BY_TTL, envelope, in_stream

EPOCH = 1_700_000_000
"""The beginning, in Unix seconds."""

_GRANULARITIES = {"us": Granularity.MICROSECOND, "ms": Granularity.MILLISECOND}
_SLOTS = 12
"""Divided by every number of lanes there is (1 to 4)."""

Keys = dict[str, dict[str, str]]


class Order(NamedTuple):
    """An item's attributes beside its keys; `code` None: it has none. Lines are SKU and quantity."""

    status: str = "OPEN"
    code: str | None = "k0"
    total: str = "1"
    lines: tuple[tuple[str, str], ...] = ()

    def plain(self) -> dict[str, Plain]:
        """As an expression sees it."""
        lines: list[Plain] = [{"sku": sku, "qty": Decimal(qty)} for sku, qty in self.lines]
        values: dict[str, Plain] = {"status": self.status, "total": Decimal(self.total), "lines": lines}
        return values if self.code is None else {**values, "code": self.code}

    def image(self, keys: Keys) -> Image:
        """As DynamoDB holds it."""
        lines = [{"M": {"sku": {"S": sku}, "qty": {"N": qty}}} for sku, qty in self.lines]
        image: Image = {"status": {"S": self.status}, "total": {"N": self.total}, "lines": {"L": lines}}
        if self.code is not None:
            image["code"] = {"S": self.code}
        return {**image, **{name: dict[str, object](value) for name, value in keys.items()}}


class Write(NamedTuple):
    """A write that changes something, `later` microseconds after the one before; `order` None: a delete."""

    item: int
    order: Order | None
    later: int
    clock: Literal["us", "ms"] = "us"
    by_ttl: bool = False


class Ending(NamedTuple):
    """How a tenure ends at its n-th step, and how many records before its frontier the next one begins.

    killed: at once. stolen: the next one begins while this one goes on, for so many steps or to its end.
    drained: it is asked to stop. A step is half of a call to a store, or a chunk of bytes on its way;
    `of_reads`: those of reading the source are counted alone.
    """

    step: int
    how: Literal["killed", "stolen", "drained"]
    back: int = 0
    lingers: int | None = None
    of_reads: bool = False


class Shard(NamedTuple):
    """What a shard holds, by the writes' numbers, and how its tenures end before the last."""

    stream: tuple[int, ...]
    endings: tuple[Ending, ...] = ()


@dataclass(frozen=True)
class History:
    """One table's, and how it is delivered.

    Attributes:
        writes: in order; an item goes by its number, and its changes to shard `item % len(shards)`.
        seed: of all delays and faults.
        waits: the writes come one tick after the other while their changes are delivered.
        faults: the rate at which a step fails.
        stalls: the rate at which one takes long.
        lanes, batch: how many lanes a processor has, and the most records one takes at once.
        message, window: the records that KCL hands over at once, and how many may be unsettled.
        is_replayed: in the end everything is delivered once more.
    """

    writes: tuple[Write, ...]
    shards: tuple[Shard, ...]
    seed: int = 0
    waits: bool = False
    faults: float = 0.0
    stalls: float = 0.0
    lanes: int = 1
    batch: int = 10
    message: int = 10
    window: int = 1_000
    is_replayed: bool = False

    @property
    def micros(self) -> list[int]:
        """When each write comes, in Unix microseconds."""
        times, now = [], EPOCH * 1_000_000
        for write in self.writes:
            now += write.later
            times.append(now)
        return times

    def last_orders(self) -> dict[int, Order | None]:
        """What each item is in the end."""
        return {write.item: write.order for write in self.writes}

    def told(self, source_keys: Sequence[str]) -> list[bytes]:
        """The data of each write's record."""
        orders: dict[int, Order | None] = {}
        told: list[bytes] = []
        for write, micros in zip(self.writes, self.micros, strict=True):
            keys, old = item_keys(write.item, tuple(source_keys)), orders.get(write.item)
            orders[write.item] = write.order
            event: EventName = "REMOVE" if write.order is None else "INSERT" if old is None else "MODIFY"
            data = envelope(
                event,
                keys,
                micros,
                new=None if write.order is None else write.order.image(keys),
                old=None if old is None else old.image(keys),
                granularity=_GRANULARITIES[write.clock],
                user_identity=BY_TTL if write.by_ttl else None,
            )
            told.append(data)
        return told


@cache
def item_keys(item: int, source_keys: tuple[str, ...]) -> Keys:
    """An item's keys, `id` and perhaps a numeric `sk`.

    It is in the same lane in every process: text hashes differ, so it is looked for.
    """
    is_composite = "sk" in source_keys
    for number in count():
        keys: Keys = {"id": {"S": f"p{item // 2}" if is_composite else f"o{item}-{number}"}}
        if is_composite:
            keys["sk"] = {"N": str(2 * number + item % 2)}
        if hash(decode(in_stream(envelope("REMOVE", keys, 1))).item) % _SLOTS == item * 5 % _SLOTS:
            return keys
    raise AssertionError
