"""What a store is to the suite."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from consumer.settings.context import TableFacts
from consumer.settings.context import Target as Facts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from tests.conformance.cases import Case
from tests.conformance.pace import Pace
from tests.conformance.truth import ReadModel
from tests.support.in_memory_dynamodb import Table

Main = Callable[[], Coroutine[Any, Any, None]]


class Standing(Protocol):
    """A place for one read model of one case."""

    @property
    def store(self) -> Mapping[str, object]:
        """`store`, as in the settings."""
        ...

    async def make(self, settings: Settings, source: TableFacts) -> Facts:
        """Make what the pod makes, and tell what it finds out."""
        ...

    def stores(self, pace: Pace, source: Mapping[str, Table]) -> AbstractAsyncContextManager[Stores]:
        """The stores of one shard process, whose steps go at its pace; `source`: tables by name."""
        ...

    async def rows(self) -> ReadModel:
        """What readers see."""
        ...

    async def restart(self) -> None:
        """Stop the store and start it again."""
        ...


class Target(Protocol):
    """A kind of store.

    Attributes:
        unit: seconds that a quick step takes.
        patience: seconds after which a history will never end.
        key_wait: how long an item waits for a key that another has, as in the settings.
        mixes_clocks: one table's changes may come with both precisions, whatever else happens.
    """

    unit: float
    patience: float
    mixes_clocks: bool
    key_wait: str

    def clock(self) -> float:
        """Unix seconds."""
        ...

    def run(self, main: Main) -> None:
        """Run one history's."""
        ...

    def stand(self, case: Case) -> AbstractAsyncContextManager[Standing]:
        """A place where nothing is yet; cleared at the end."""
        ...
