"""What a history makes true, whatever becomes of it on the way."""

from consumer.errors import Undecodable
from consumer.record import ChangeRecord, Image, Version
from consumer.shard.path import decode_all
from tests.property.storm.history import EPOCH, OUT, Course, History, Value, Write, image_of
from tests.support.changes import TABLE

_SLOTS = 12
"""Divided by every number of lanes there is (1 to 4)."""


class Truth:
    """One history's. Records go by their number in the shard, from 1 on."""

    def __init__(self, history: History) -> None:
        self.names = [_item_name(index, history.seed) for index in range(1 + _last_item(history))]
        self.arrivals = history.stream(self.names)
        self.records = [record for _, record in self.arrivals]
        self.decoded = decode_all(self.records)
        self._history = history
        self._olds = history.old_values()
        self._last = {write.item: write.value for write in history.writes}
        self._newest = {
            write.item: write
            for write, old in zip(history.writes, self._olds, strict=True)
            if not (self._is_out(write.value) and self._is_out(old))
        }

    @property
    def items(self) -> list[int]:
        """All that was ever written."""
        return list(self._last)

    def change(self, number: int) -> ChangeRecord | None:
        """What a record says, None where it says nothing."""
        decoded = self.decoded[number - 1]
        return None if isinstance(decoded, Undecodable) else decoded

    def concerns(self, course: Course, number: int) -> bool:
        """Whether a record is for a processor's lanes: a change of the table that the filter lets through."""
        change = self.change(number)
        if change is None or change.table != TABLE:
            return False
        if course.only_items is not None and self.write_of(number).item not in course.only_items:
            return False
        return course.only_events is None or change.event_name in course.only_events

    def is_outside(self, number: int) -> bool:
        """Whether `when` kept the item out before the change and after it."""
        arrival = self._history.arrivals[number - 1]
        is_told = arrival.kind != "without images"
        return (
            is_told and self._is_out(self.write_of(number).value) and self._is_out(self._olds[arrival.write])
        )

    def row(self, course: Course, item: int) -> Image | None:
        """What the read model's readers are to find in the end."""
        value = self._last[item]
        is_filtered = course.only_items is not None and item not in course.only_items
        return None if is_filtered or self._is_out(value) else image_of(self.names[item], value)

    def is_at_the_end(self, number: int) -> bool:
        """Whether no change of the record's item that concerns the read model is newer than it."""
        change, end = self.change(number), self._newest.get(self.write_of(number).item)
        if change is None or end is None:
            return False
        version = Version(EPOCH * 1_000_000 + end.micros, end.granularity)
        return change.version.floor(version.granularity) >= version.floor(change.granularity)

    def write_of(self, number: int) -> Write:
        """The write that a record tells of."""
        return self._history.writes[self._history.arrivals[number - 1].write]

    def _is_out(self, value: Value) -> bool:
        return value is None or (self._history.when is not None and value == OUT)


def _last_item(history: History) -> int:
    return max(write.item for write in history.writes)


def _item_name(index: int, seed: int) -> str:
    """An item's name, in the same lane in every process: text hashes differ, so it is looked for."""
    slot = (seed + index * 7 + index // 5) % _SLOTS
    number = 0
    while hash(f"{index}-{number}") % _SLOTS != slot:
        number += 1
    return f"{index}-{number}"
