"""boto3 beside an event loop: clients made when they are first needed, calls in few threads."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from consumer.errors import Unavailable

T = TypeVar("T")


class Threads:
    """At most so many blocking calls at once; the others wait their turn. None is started without a call."""

    def __init__(self, most: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


class Lazy(Generic[T]):
    """Something made by whoever asks for it first, and once."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def __call__(self) -> T:
        """What was made; a failure to make it is raised, and the next one tries again."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


def see_receipt(answer: Mapping[str, object], receipt: str) -> None:
    """See that a service answered a write: boto3 takes any page of status 200, a proxy's say, for success.

    Raises:
        Unavailable: the answer lacks what the service gives for each write.
    """
    if not answer.get(receipt):
        message = (
            f"what answered is not the service: there is no {receipt} in the answer; look at the endpoint"
        )
        raise Unavailable(message, code="NoReceipt")
