"""Several calls at once, none of which outlives the others' failure."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def side_by_side(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the calls return, in order, once all have ended.

    An error that nobody foresaw is raised then: it leaves no write behind that goes on while the record is
    tried again.
    """
    first, *others = calls
    if not others:
        return [await first]
    ends = await asyncio.gather(first, *others, return_exceptions=True)
    answers: list[T] = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        answers.append(end)
    return answers
