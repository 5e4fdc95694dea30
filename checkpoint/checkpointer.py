"""When to checkpoint, and what to do when KCL says no. Belongs to the thread that speaks with the daemon."""

from collections.abc import Callable
from enum import Enum

Place = tuple[str, int]
"""Sequence number and sub-sequence number."""

KclCheckpoint = Callable[[str | None, int | None], str | None]
"""KCL's own call: a place (None, None: the end of the shard) to an exception's simple name.

None where it is done.
"""


class Verdict(Enum):
    """What came of a checkpoint."""

    DONE = "done"
    LATER = "later"
    """Refused for now (throttled, a dependency failed): ask again after the interval."""
    LOST = "lost"
    """The lease is another worker's: stop."""


class CheckpointRefusedError(Exception):
    """KCL refuses in a way that asking again can't mend: end the process, don't go on without checkpoints."""


_VERDICTS = {
    "ThrottlingException": Verdict.LATER,
    "KinesisClientLibDependencyException": Verdict.LATER,
    "KinesisClientLibRetryableException": Verdict.LATER,
    "ShutdownException": Verdict.LOST,
}


class Checkpointer:
    """Checkpoints the frontier at most every `interval` seconds, and only where it moved."""

    def __init__(
        self,
        send: KclCheckpoint,
        *,
        interval: float,
        clock: Callable[[], float],
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take KCL's call and a monotonic clock in seconds; `on_failure` is told KCL's exception names."""
        self._send = send
        self._interval = interval
        self._clock = clock
        self._on_failure = on_failure
        self._tried_at = clock()
        self.last: Place | None = None
        """The last place KCL accepted, None before the first."""

    def checkpoint_if_due(self, place: Place | None) -> Verdict:
        """Checkpoint if the place is new and the interval is over."""
        if self._clock() - self._tried_at < self._interval:
            return Verdict.DONE
        return self.checkpoint(place)

    def checkpoint(self, place: Place | None) -> Verdict:
        """Checkpoint now if the place is new.

        Raises:
            CheckpointRefusedError: KCL is in a state that no later try can mend.
        """
        if place is None or place == self.last:
            return Verdict.DONE
        verdict = self._ask(*place)
        if verdict is Verdict.DONE:
            self.last = place
        return verdict

    def finish(self) -> Verdict:
        """The bare checkpoint at the end of a shard, once everything in it is settled."""
        return self._ask(None, None)

    def _ask(self, sequence_number: str | None, sub_sequence_number: int | None) -> Verdict:
        self._tried_at = self._clock()
        error = self._send(sequence_number, sub_sequence_number)
        if error is None:
            return Verdict.DONE
        self._on_failure(error)
        if error not in _VERDICTS:
            message = f"KCL refused the checkpoint at {sequence_number or 'the end of the shard'}: {error}"
            raise CheckpointRefusedError(message)
        return _VERDICTS[error]
