"""What this room is handed: an AWS JSON API as one call, and KCL's checkpoint."""

from collections.abc import Mapping
from typing import Any, Protocol


class Answer(Protocol):
    """What a service said: the decoded body, and the error code if it was one of those the caller expects."""

    @property
    def body(self) -> dict[str, Any]:
        """The decoded JSON; of an expected error, the error's own.

        It has `Item` where DynamoDB returns the old row.
        """
        ...

    @property
    def error(self) -> str | None:
        """None, or the expected error's code, such as ConditionalCheckFailedException."""
        ...


class Api(Protocol):
    """One AWS service in one region, by its JSON protocol.

    Attribute values are in DynamoDB JSON, binary as base64 text.
    """

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        """Carry out one operation, such as PutItem.

        Codes in `expect` come back as an answer, all other errors are raised.
        """
        ...
