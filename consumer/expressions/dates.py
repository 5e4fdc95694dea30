"""A point in time, as an ISO 8601 text or an epoch number -> the same in UTC."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_UNITS = ((10**11, 0), (10**14, 3), (10**17, 6), (10**20, 9))
"""Up to what size a number is taken to be in a unit, and how many decimal places that is finer than a second.

So seconds are told up to the year 5138, whatever their sign; milliseconds, microseconds and nanoseconds up to
then as well, but only from 1973-03-03 on and before 1966-10-31: nearer to 1970 they look like a coarser unit.
"""

_BEGINS_WITH_A_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ]|$)")
"""Python takes digits alone for a date too, and would read an epoch number that is kept as text as one."""


def in_utc(moment: str | Decimal | int) -> str:
    """The point in time as `2026-11-21T14:30:00+00:00`, with a fraction of a second where a text has one.

    A text without an offset is in UTC, one without a time is its midnight; a number's fraction is cut off.

    Raises:
        ValueError: it is no point in time from the year 1 to 9999.
    """
    try:
        return (_of_text(moment) if isinstance(moment, str) else _of_number(Decimal(moment))).isoformat()
    except (ValueError, OverflowError):
        quoted = f"{moment!r}" if isinstance(moment, str) else f"{moment}"
        message = (
            f"{quoted} is no date: it takes an ISO 8601 text such as '2026-11-21T14:30:00Z' or '2026-11-21', "
            "or an epoch number in seconds, milliseconds, microseconds or nanoseconds"
        )
        raise ValueError(message) from None


def _of_text(text: str) -> datetime:
    if not _BEGINS_WITH_A_DATE.match(text):
        raise ValueError
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _of_number(number: Decimal) -> datetime:
    for bound, places in _UNITS:
        if abs(number) < bound:
            return _EPOCH + timedelta(seconds=floor(number.scaleb(-places)))
    raise ValueError
