"""How much is delivered to us and not yet behind the frontier; full means that the daemon's answer waits.

Two threads meet here: the protocol thread admits, the event loop releases. Each figure has one writer, so no
lock is needed.
"""

import os
from collections import deque


class Window:
    """The bounded window of one shard process."""

    def __init__(self, *, records: int, size: int) -> None:
        """Bound it by a number of records and by the bytes of their data."""
        self._most_records = records
        self._most_bytes = size
        self._admitted_records = 0
        self._admitted_bytes = 0
        self._released_records = 0
        self._released_bytes = 0
        self._chunks: deque[tuple[int, int]] = deque()
        self.wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self.wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self.is_awaited = False
        """The protocol thread waits for room or for news; the loop then wakes it."""

    def admit(self, records: int, size: int) -> None:
        """Protocol thread: a message of records is being handed over."""
        self._admitted_records += records
        self._admitted_bytes += size
        if records:  # an idle stream sends empty messages for days
            self._chunks.append((self._admitted_records, self._admitted_bytes))

    def release(self, settled: int) -> None:
        """Event loop: this many records, counted from the first, are behind the frontier.

        A message's bytes are freed with its last record.
        """
        self._released_records = settled
        chunks = self._chunks
        while chunks and chunks[0][0] <= settled:
            self._released_bytes = chunks.popleft()[1]
        if self.is_awaited:
            self.wake()

    def wake(self) -> None:
        """End the protocol thread's wait early."""
        try:
            os.write(self._wake_writer, b"\0")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    def clear_wake(self) -> None:
        """Protocol thread: forget the wake-ups that were heard."""
        try:
            while os.read(self.wake_reader, 4096):
                pass
        except BlockingIOError:
            return

    @property
    def records(self) -> int:
        """Records delivered and not behind the frontier."""
        return self._admitted_records - self._released_records

    @property
    def size(self) -> int:
        """Bytes of the messages that are not wholly behind the frontier."""
        return self._admitted_bytes - self._released_bytes

    @property
    def is_full(self) -> bool:
        """Whether the daemon has to wait."""
        return self.records >= self._most_records or self.size >= self._most_bytes
