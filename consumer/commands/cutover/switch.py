"""What differs by store when a model takes the place of another one."""

from collections.abc import Callable
from typing import Protocol

from checkpoint.control import Pointer


class Switch(Protocol):
    """One store's way from the old model to the new one."""

    @property
    def pointer(self) -> Pointer | None:
        """Where readers find the new model; None: they need not look."""
        ...

    async def check(self) -> None:
        """See that it can be done; changes nothing.

        Raises:
            SettingsError: what is in the way, and what to do.
        """
        ...

    async def missing(self, show: Callable[[int], None]) -> list[str] | None:
        """Items that the old model has and of which the new one knows nothing: the first few, for people.

        None: the two are not alike enough to tell. `show` is told how many were looked at.
        """
        ...

    async def swap(self) -> None:
        """Let readers go over, all at once; done already, it does nothing."""
        ...

    def leftovers(self) -> list[str]:
        """What nobody needs any more."""
        ...
