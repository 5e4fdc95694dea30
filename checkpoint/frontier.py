"""The contiguous low-water mark: up to where in the shard everybody has settled everything.

Records are numbered as they arrive (ordinals); each settler, a processor by name, settles ordinals in any
order. Pure; one thread.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class Frontier(Generic[Entry]):
    """Follows what arrived and what each settler has settled.

    Memory is a byte per settler and a reference per entry that is not settled by all; the caller bounds how
    many those are.
    """

    def __init__(self, settlers: Iterable[str]) -> None:
        self._entries: list[Entry] = []
        self._base = 0
        self._tracks = {name: _Track() for name in settlers}
        self._low: Entry | None = None
        self._last: dict[str, Entry] = {}

    def accept(self, entries: list[Entry]) -> int:
        """Number newly arrived entries; returns the first one's ordinal."""
        first = self.accepted
        self._entries.extend(entries)
        for track in self._tracks.values():
            track.extend(len(entries))
        return first

    def settle(self, settler: str, ordinals: Iterable[int]) -> None:
        """The settler is done with these for good; settling one again changes nothing."""
        track = self._tracks[settler]
        if not track.settle(ordinals):
            return
        self._last[settler] = self._entries[track.low - 1 - self._base]
        low = min(track.low for track in self._tracks.values())
        if low > self._base:
            self._low = self._entries[low - 1 - self._base]
            del self._entries[: low - self._base]
            self._base = low

    @property
    def accepted(self) -> int:
        """How many have arrived."""
        return self._base + len(self._entries)

    @property
    def settled(self) -> int:
        """How many are behind the frontier: settled by all, without a gap."""
        return self._base

    @property
    def low(self) -> Entry | None:
        """The last entry behind the frontier, the one to checkpoint at; None before the first."""
        return self._low

    @property
    def newest(self) -> Entry | None:
        """The last entry that has arrived; None before the first."""
        return self._entries[-1] if self._entries else self._low

    @property
    def oldest_unsettled(self) -> Entry | None:
        """The entry the frontier waits for; None when all is settled."""
        return self._entries[0] if self._entries else None

    def last_of(self, settler: str) -> Entry | None:
        """The last entry behind one settler's own frontier; None before the first."""
        return self._last.get(settler)


class _Track:
    """One settler's flags, a byte per ordinal from its low-water mark on."""

    def __init__(self) -> None:
        self.low = 0
        self._flags = bytearray()

    def extend(self, count: int) -> None:
        self._flags.extend(bytes(count))

    def settle(self, ordinals: Iterable[int]) -> bool:
        """Flag the ordinals; True if the low-water mark moved."""
        flags, low = self._flags, self.low
        for ordinal in ordinals:
            if ordinal >= low:
                flags[ordinal - low] = 1
        gap = flags.find(0)
        contiguous = len(flags) if gap < 0 else gap
        if contiguous == 0:
            return False
        del flags[:contiguous]
        self.low += contiguous
        return True
