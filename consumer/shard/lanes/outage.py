"""What a processor's lanes know together of its store: an outage is not a bad record.

A store is away when it answers nobody and says it is unavailable, and a wrong schema is an outage too: many
different records in a row, rejected by the store with one code. Lanes then ask with single records, and the
first that gets through tells the others.

The log is told of a wait and of its end. A store that refuses every other request would fill it: it comes and
goes, which is told once, until it has stayed.
"""

from collections.abc import Callable

from consumer.errors import Rejected, Unavailable
from consumer.shard.lanes.tools import LaneTools

REJECTED_RUN = 20
"""Different records in a row."""

STEADY_SECONDS = 30.0
"""A store that has stayed for so long is back indeed."""


class Outage:
    """One processor's, in one shard process."""

    def __init__(self, name: str, tools: LaneTools, *, pauses_on_rejected_run: bool) -> None:
        self.recoveries = 0
        """How often the store came back."""
        self.answers = 0
        """How often it took or refused a change."""
        self._name = name
        self._tools = tools
        self._trouble = tools.trouble
        self._pauses = pauses_on_rejected_run
        self._on_recovery: list[Callable[[], None]] = []
        self._code: str | None = None
        self._refused: set[int] = set()
        self._is_rejected_run = False
        self._ended_at: float | None = None
        self._comes_and_goes = False

    @property
    def is_on(self) -> bool:
        """Whether lanes should only ask."""
        return self._trouble.since is not None

    def tell(self, on_recovery: Callable[[], None]) -> None:
        """Call back when the store is back."""
        self._on_recovery.append(on_recovery)

    def answered(self) -> None:
        """The store took a change, or knew it already."""
        self.answers += 1
        self._code = None
        self._is_rejected_run = False
        self._end()
        self._stayed()

    def unavailable(self, error: Unavailable) -> None:
        """It takes nothing now."""
        self._begin(f"{error.code}: {error}")

    def rejected(self, ordinal: int, error: Rejected) -> bool:
        """A record was rejected; whether that counts against the record."""
        if not error.by_store:
            return True
        self.answers += 1
        if error.code != self._code:
            self._code = error.code
            self._refused.clear()
        if self._pauses and len(self._refused) < REJECTED_RUN:
            self._refused.add(ordinal)
        if len(self._refused) >= REJECTED_RUN:
            if not self._is_rejected_run:
                self._is_rejected_run = True
                self._tools.on_rejected_run()
            self._begin(
                f"{REJECTED_RUN} records in a row were rejected with {error.code}, so the store itself seems "
                f"wrong (another schema?): {error}; mend it, or set delivery.on_rejected_run to dead_letter"
            )
            return False
        if not self._is_rejected_run:
            self._end()  # who rejects is there
            self._stayed()
        return not self._is_rejected_run

    def _begin(self, error: str) -> None:
        self._trouble.last_error = error
        if self._trouble.since is None:
            self._trouble.since = now = self._tools.clock()
            was_steady = self._ended_at is None or now - self._ended_at >= STEADY_SECONDS
            if was_steady:
                self._comes_and_goes = False
                self._tools.log.warning("waiting for a store", processor=self._name, error=error)
            elif not self._comes_and_goes:
                self._comes_and_goes = True
                self._tools.log.warning("the store comes and goes", processor=self._name, error=error)

    def _end(self) -> None:
        if self._trouble.since is None:
            return
        self._trouble.since = None
        self._ended_at = self._tools.clock()
        self.recoveries += 1
        if not self._comes_and_goes:
            self._tools.log.info("the store is back", processor=self._name)
        for tell in self._on_recovery:
            tell()

    def _stayed(self) -> None:
        """Tell the end of its coming and going, once it is one."""
        if not self._comes_and_goes or self._ended_at is None:
            return
        if self._tools.clock() - self._ended_at >= STEADY_SECONDS:
            self._comes_and_goes = False
            self._tools.log.info("the store is back", processor=self._name)
