"""Waiting for something to come true; the time limit is for a test that fails, never an assertion."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.05


def eventually(look: Callable[[], T], *, within_seconds: float = 30.0) -> T:
    """Return the first truthy value of `look`; the last one, whatever it is, once the time is over."""
    deadline = time.monotonic() + within_seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return found
