"""Waiting for something to come true; the time limit is for a test that fails, never an assertion."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.25
_SHARE = 0.05
"""Of the time waited so far: who waits long asks rarely, for asking keeps the asked from their work."""


def eventually(look: Callable[[], T], *, within_seconds: float = 30.0) -> T:
    """Return the first truthy value of `look`; the last one, whatever it is, once the time is over."""
    began = time.monotonic()
    while not (found := look()) and (waited := time.monotonic() - began) < within_seconds:
        time.sleep(min(max(_FIRST_PAUSE_SECONDS, waited * _SHARE), _LONGEST_PAUSE_SECONDS))
    return found
