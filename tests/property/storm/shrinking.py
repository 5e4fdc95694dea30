"""Drops what a failure does not need, one thing after the other, as long as the history still fails."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.property.storm.history import Arrival, Course, History

_T = TypeVar("_T")

Fails = Callable[[History], bool]

_MOST_TRIES = 600


def shrink(history: History, fails: Fails) -> History:
    """A history that fails too, and of which hardly anything can be left out."""
    tries = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _smaller(history):
            tries += 1
            if tries > _MOST_TRIES:
                return history
            if candidate.arrivals and fails(candidate):
                history, is_smaller = candidate, True
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    for index in range(1, len(history.courses)):
        yield replace(history, courses=_without(history.courses, index, 1))
    for index in range(len(history.endings)):
        yield replace(history, endings=_without(history.endings, index, 1))
    for index in range(len(history.faults)):
        yield replace(history, faults=_without(history.faults, index, 1))
    for plainer in ({"is_replayed": False}, {"stall_rate": 0.0}, {"refusal_rate": 0.0}, {"begins_at": 0.0}):
        if any(getattr(history, name) != value for name, value in plainer.items()):
            yield replace(history, **plainer)
    size = len(history.writes) // 2
    while size:
        for start in range(0, len(history.writes), size):
            yield _without_writes(history, start, size)
        size //= 2
    for index in range(len(history.arrivals)):
        yield _keeping(history, [number for number in range(len(history.arrivals)) if number != index])


def _without_writes(history: History, start: int, size: int) -> History:
    """Without these writes and their records."""
    kept = [
        number for number, arrival in enumerate(history.arrivals) if not start <= arrival.write < start + size
    ]
    smaller = _keeping(history, kept)
    moved = tuple(
        replace(arrival, write=arrival.write - (size if arrival.write >= start + size else 0))
        for arrival in smaller.arrivals
    )
    return replace(smaller, writes=_without(history.writes, start, size), arrivals=moved)


def _keeping(history: History, kept: Sequence[int]) -> History:
    """With these records only; a fate goes with its record."""
    place = {number: index for index, number in enumerate(kept)}
    arrivals: tuple[Arrival, ...] = tuple(history.arrivals[number] for number in kept)
    courses: tuple[Course, ...] = tuple(
        replace(
            course, fates=tuple((place[record], fate) for record, fate in course.fates if record in place)
        )
        for course in history.courses
    )
    return replace(history, arrivals=arrivals, courses=courses)


def _without(values: tuple[_T, ...], start: int, size: int) -> tuple[_T, ...]:
    return values[:start] + values[start + size :]
