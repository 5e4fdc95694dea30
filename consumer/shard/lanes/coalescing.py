"""Several changes of one item, taken as one: only the newest state has to be written.

What is between the first and the last must not be forgotten: an earlier tenure may have written it already,
and what it wrote must go if the last state has no place for it. So the one carries every image between.

Changes that tie are never taken as one, since only the source can tell which of them is the newest; nor is
one that the processor wants to see by itself.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter

from consumer.record import ChangeRecord, EventName

StandsAlone = Callable[[ChangeRecord], bool]
"""Which changes are never taken as one with others."""


_MICROS = attrgetter("micros")


def leading_run(changes: Sequence[ChangeRecord], stands_alone: StandsAlone | None = None) -> int:
    """How many of an item's changes, from the first on, can be taken as one: at least 1.

    Their versions differ even by the coarsest clock among them.
    """
    coarsest = changes[0].granularity
    ticks: set[int] = set()
    for count, change in enumerate(changes):
        if stands_alone is not None and stands_alone(change):
            return max(count, 1)
        if change.granularity > coarsest:
            coarsest = change.granularity
            ticks = {earlier.micros // coarsest for earlier in changes[:count]}
        ticks.add(change.micros // coarsest)
        if len(ticks) <= count:
            return count
    return len(changes)


def coalesce(changes: Sequence[ChangeRecord]) -> ChangeRecord:
    """The changes of a run as one: from the state before the first of them to the state after the last.

    First and last are by version, whatever the order in the stream.
    """
    ordered = sorted(changes, key=_MICROS)
    first, last = ordered[0], ordered[-1]
    images = [image for change in ordered for image in (change.old_image, change.new_image)]
    return ChangeRecord(
        last.stream,
        _net_event(first, last),
        last.table,
        last.micros,
        last.granularity,
        last.keys,
        last.item,
        first.old_image,
        last.new_image,
        last.user_identity,
        tuple(image for image in images[1:-1] if image),
    )


def _net_event(first: ChangeRecord, last: ChangeRecord) -> EventName:
    if last.event_name == "REMOVE":
        return "REMOVE"
    return "INSERT" if first.event_name == "INSERT" else "MODIFY"
