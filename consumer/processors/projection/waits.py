"""Items that wait for a key which another item has: how long each may.

as long as it may        it is waited for, whoever has it
MORE times as long       while the other has it no more in the source: the change that takes it away is to
                         come, of a shard that is behind
then                     it does not come: it was rejected, filtered out, or is behind the waiting one
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from consumer.errors import Rejected, Unavailable

_FORGOTTEN_SECONDS = 300.0
"""Nobody has tried for so long: whoever comes then waits anew. Tries of one wait are 30 s apart at most."""

MORE = 4.0
"""A shard that is behind reads millions of records in four minutes. Who waits fills its own shard's window in
the end, and all of that stands still; nor does it help to wait for what is behind in there."""


@dataclass(slots=True)
class _Wait:
    key: str
    since: float
    latest: float


class KeyWaits:
    """Remembers since when items wait; one a processor and process.

    `clock` tells seconds, `longest` is how many of them an item may wait.
    """

    def __init__(self, clock: Callable[[], float], longest: float) -> None:
        self._clock = clock
        self._longest = longest
        self._waits: dict[str, _Wait] = {}
        self._forget_at = clock() + _FORGOTTEN_SECONDS
        self._away_since: float | None = None

    def __len__(self) -> int:
        """How many waits are remembered."""
        return len(self._waits)

    def store_is_away(self) -> None:
        """Until it answers again nobody's wait goes on: who has the key could not give it up either."""
        if self._away_since is None:
            self._away_since = self._clock()

    async def error(
        self, item: str, key: str, is_claimed: Callable[[], Awaitable[bool]]
    ) -> Rejected | Unavailable:
        """What to say of an item whose key another item has; its wait for another key is another wait.

        Args:
            item: the one that waits.
            key: what it waits for, for people.
            is_claimed: whether the other has it in the source too, for all that can be told; asked once the
                item has waited as long as it may.

        Raises:
            Unavailable: the source can't be asked now.
        """
        now = self._clock()
        self._store_answers(now)
        self._forget(now)
        wait = self._waits.get(item)
        if wait is None or wait.key != key or now - wait.latest >= _FORGOTTEN_SECONDS:
            wait = self._waits[item] = _Wait(key, now, now)
        wait.latest = now
        beyond = now - wait.since - self._longest
        if beyond < 0:
            message = f"the row {key} belongs to another item; it is waited for"
        elif await is_claimed():
            message = (
                f"the row {key} belongs to another item, which still has it after {self._longest:g} s;"
                " make the keys of different items differ"
            )
            return Rejected(message, code="KeyNotUnique")
        elif beyond < MORE * self._longest:
            message = (
                f"the row {key} belongs to another item, which has it no more in the source table: the change"
                " that takes it away is to come, and is waited for"
            )
        else:
            message = (
                f"the row {key} belongs to another item, which has it no more in the source table; but the"
                f" change that takes it away has not come in {now - wait.since:.0f} s. If that is a dead"
                " letter, redrive it first, then this one"
            )
            return Rejected(message, code="KeyNotUnique")
        return Unavailable(message, code="KeyTaken", of_item=True)

    def over(self, item: str) -> None:
        """The item has its keys, or needs them no more."""
        self._store_answers(self._clock())
        self._waits.pop(item, None)

    def _store_answers(self, now: float) -> None:
        if self._away_since is not None:
            for wait in self._waits.values():
                wait.since += now - self._away_since
                wait.latest += now - self._away_since
            self._away_since = None

    def _forget(self, now: float) -> None:
        # Seldom: ten thousand items may wait, and each of them would look at all.
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGOTTEN_SECONDS
        self._waits = {
            name: wait for name, wait in self._waits.items() if now - wait.latest < _FORGOTTEN_SECONDS
        }
