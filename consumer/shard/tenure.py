"""One tenure of a shard's lease, from initialize to leaseLost: the thread that speaks with the daemon.

A batch is answered at once and delivered in the background. While the window is full the answer is held, and
a held answer keeps the daemon from telling us anything; so whoever holds one still checkpoints, and looks out
for the daemon's end, a drain and a lost lease.
"""

from collections.abc import Callable
from typing import Protocol

from checkpoint.checkpointer import Checkpointer, Place, Verdict
from consumer.log import Logger
from consumer.record import Position, StreamRecord
from consumer.shard.kcl import (
    Daemon,
    DaemonGone,
    Initialize,
    LeaseLost,
    Message,
    ProcessRecords,
    ShardEnded,
    ShutdownRequested,
)
from consumer.shard.path import Decoded, decode_all
from consumer.shard.window import Window

_LOOK_UP_SECONDS = 0.5
"""How often a held answer looks up; the loop wakes it sooner when there is news."""


class Delivery(Protocol):
    """The event loop's side, safe to call from the protocol thread."""

    window: Window

    @property
    def is_started(self) -> bool: ...  # noqa: D102 - says itself
    @property
    def is_stopping(self) -> bool:
        """A drain was asked for, or the lease is lost: nothing more is begun."""
        ...

    @property
    def is_lease_lost(self) -> bool:
        """The lease row names another worker."""
        ...

    @property
    def is_parked(self) -> bool:
        """Data was trimmed before it was read, and the settings don't say to go on."""
        ...

    @property
    def place(self) -> Place | None:
        """Where the frontier is."""
        ...

    @property
    def is_drained(self) -> bool:
        """Nothing is under way any more."""
        ...

    def begin(self, shard_id: str, position: Position | None) -> None:
        """Start for a shard; is_started tells when it is done."""
        ...

    def accept(
        self, records: list[StreamRecord], decoded: list[Decoded], millis_behind_latest: int | None
    ) -> None:
        """Deliver in the background."""
        ...

    def hurry(self) -> None:
        """An answer is held, so that nothing more comes: wait for no batch to fill."""
        ...

    def stop(self, *, lease_lost: bool) -> None:
        """Begin nothing more."""
        ...

    def checkpointed(self, place: Place | None) -> None:
        """KCL accepted a checkpoint; None: at the end of the shard."""
        ...

    def finish(self) -> None:
        """Write down what should outlive the process; returns when it is written or can't be."""
        ...


class Tenure:
    """Answers the daemon's messages until it is gone."""

    def __init__(
        self,
        daemon: Daemon,
        delivery: Delivery,
        checkpointer: Checkpointer,
        *,
        drain_seconds: float,
        clock: Callable[[], float],
        log: Logger,
    ) -> None:
        """`drain_seconds`: how long a requested shutdown waits for what is under way.

        `clock` is monotonic, in seconds.
        """
        self._daemon = daemon
        self._delivery = delivery
        self._checkpointer = checkpointer
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._log = log

    def run(self) -> None:
        """Serve until the lease is lost or the daemon is gone.

        Raises:
            CheckpointRefusedError: going on would mean never to checkpoint again.
        """
        try:
            while True:
                message = self._daemon.receive()
                self._serve(message)
                self._daemon.answer(message)
                if isinstance(message, LeaseLost):
                    return  # the daemon waits for our end of file without limit
        except DaemonGone:
            self._log.info("the daemon closed the pipe")

    def _serve(self, message: Message) -> None:
        match message:
            case Initialize():
                self._initialize(message)
            case ProcessRecords():
                self._process(message)
            case ShardEnded():
                self._end()
            case ShutdownRequested():
                self._shut_down()
            case LeaseLost():
                self._delivery.stop(lease_lost=True)

    def _initialize(self, message: Initialize) -> None:
        number = message.sequence_number
        position = (
            Position(number, message.sub_sequence_number or 0)
            if number is not None and number.isdigit()
            else None
        )
        self._delivery.begin(message.shard_id, position)
        self._hold(lambda: self._delivery.is_started, checkpoints=False)

    def _process(self, message: ProcessRecords) -> None:
        delivery, window = self._delivery, self._delivery.window
        if delivery.is_stopping:
            return
        if delivery.is_parked:
            self._hold(lambda: False, checkpoints=False)
            return
        window.admit(len(message.records), sum([len(record.data) for record in message.records]))
        delivery.accept(message.records, decode_all(message.records), message.millis_behind_latest)
        self._checkpoint(self._checkpointer.checkpoint_if_due)
        if window.is_full:
            self._hold(lambda: not window.is_full)

    def _end(self) -> None:
        """All of the ended shard must be settled before the bare checkpoint lets its children begin."""
        window = self._delivery.window
        self._hold(lambda: window.records == 0 and not self._delivery.is_parked)
        while not self._delivery.is_stopping:
            verdict = self._checkpointer.finish()
            if verdict is Verdict.DONE:
                self._delivery.checkpointed(None)
                self._delivery.finish()
                return
            if verdict is Verdict.LOST:
                self._delivery.stop(lease_lost=True)
                return
            self._look_up(1.0)

    def _shut_down(self) -> None:
        self._delivery.stop(lease_lost=False)
        deadline = self._clock() + self._drain_seconds
        while not self._delivery.is_drained and self._clock() < deadline:
            self._look_up(0.05)
        while not self._checkpoint(self._checkpointer.checkpoint) and self._clock() < deadline:
            self._look_up(1.0)
        self._delivery.finish()

    def _hold(self, is_over: Callable[[], bool], *, checkpoints: bool = True) -> None:
        """Keep the answer back until it is over, or until a drain or a lost lease makes us let go."""
        window = self._delivery.window
        window.is_awaited = True
        self._delivery.hurry()
        while not (is_over() or self._delivery.is_stopping):
            if checkpoints:
                self._checkpoint(self._checkpointer.checkpoint_if_due)
            self._look_up(_LOOK_UP_SECONDS)
        window.is_awaited = False
        if checkpoints and self._delivery.is_stopping:
            self._checkpoint(self._checkpointer.checkpoint)

    def _look_up(self, seconds: float) -> None:
        self._daemon.wait(seconds)
        self._delivery.window.clear_wake()

    def _checkpoint(self, attempt: Callable[[Place | None], Verdict]) -> bool:
        """Checkpoint the frontier, unless the lease is lost; False where it has to be tried again."""
        if self._delivery.is_lease_lost:
            return True
        before = self._checkpointer.last
        verdict = attempt(self._delivery.place)
        if verdict is Verdict.LOST:
            self._log.warning("the lease is another worker's; letting go of the shard")
            self._delivery.stop(lease_lost=True)
        elif self._checkpointer.last != before:
            self._delivery.checkpointed(self._checkpointer.last)
        return verdict is not Verdict.LATER
