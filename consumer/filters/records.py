"""A change as the event that patterns are matched against: the record as it came, with its `tableName`.

An image that is `{}` or null is not there, as everywhere.
"""

from collections.abc import Callable

from consumer.filters.pattern import Event, Filter, decode_event
from consumer.record import ChangeRecord

_IMAGES = ("NewImage", "OldImage")


def event_of_keys(change: ChangeRecord) -> Event:
    """What a filter that looks at keys needs, without another look at the record's bytes."""
    return {"tableName": change.table, "dynamodb": {"Keys": change.keys}}


def event_of(change: ChangeRecord) -> Event | None:
    """The whole record; None where it can't be read, so that nobody can say that it does not match."""
    try:
        event = decode_event(change.stream.data)
    except ValueError:
        return None
    body = event.get("dynamodb")
    if isinstance(body, dict):
        for name in _IMAGES:
            if not body.get(name, True):
                del body[name]
    return event


def passes(
    filter_: Filter, change: ChangeRecord, read: Callable[[ChangeRecord], Event | None] = event_of
) -> bool:
    """Whether a filter lets a change through; what can't be read is for the processor to say.

    `read`: the whole record, if the filter looks at more than keys; None where it can't be read.
    """
    if filter_.is_of_keys:
        return filter_.matches(event_of_keys(change))
    event = read(change)
    try:
        return event is None or filter_.matches(event)
    except ValueError:
        return True
