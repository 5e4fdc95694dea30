"""A place where letters are found, and what can be done with them there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from consumer.aws.boto import errors_as_unavailable
from consumer.aws.names import DENIED, NO_SUCH_QUEUE
from consumer.errors import SettingsError, Unavailable

BATCH = 50
"""Letters that are under way at once, at most."""

_FOR_A_PERSON = (
    DENIED
    | NO_SUCH_QUEUE
    | {
        "InvalidAddress",
        "InvalidObjectState",  # archived: it has to be restored first
        "NoCredentialsError",
        "NoSuchBucket",
        "OverLimit",  # 120,000 messages stay, and all of them are held
        "ParamValidationError",  # botocore's own: no such name can be, as of a bucket with a colon
    }
)
"""Codes of SQS and S3, and botocore's own, for what no waiting mends."""


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in a place of letters, a letter mostly.

    Attributes:
        key: what the place knows it by.
        place: the same for people.
        text: its bytes.
    """

    key: str
    place: str
    text: bytes


class LetterSource(Protocol):
    """A place of letters. Calls raise Unavailable where they may be made again, as they are."""

    async def count(self) -> int:
        """About how many letters there are.

        Raises:
            SettingsError: there is no such place, or it may not be looked into.
        """
        ...

    async def hidden(self) -> int:
        """About how many letters somebody else holds, so that they can't be taken now; raises as `count`."""
        ...

    async def take(self, most: int) -> list[Found]:
        """The next letters, at most so many, each only once; none: that was all."""
        ...

    async def remove(self, found: Sequence[Found]) -> list[Found]:
        """Remove letters that are settled; gives those that were written anew meanwhile, and stay."""
        ...

    async def close(self) -> None:
        """Write through what was removed, and give back what was taken and not removed."""
        ...


@contextmanager
def asking(what: str, remedy: str) -> Iterator[None]:
    """boto3's errors: SettingsError with the remedy where a person must do something, else Unavailable."""
    try:
        with errors_as_unavailable(what):
            yield
    except Unavailable as error:
        if error.code in _FOR_A_PERSON:
            raise SettingsError(f"{error}; {remedy}") from error
        raise
