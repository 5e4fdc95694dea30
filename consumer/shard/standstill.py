"""Which of a shard's processors stand still, as the control row says, and what is told of them.

control row: stop ---> no new call, frontier held ---> calls under way end ---> told in the shard's row
control row: live ---> let go, and what was settled meanwhile counts
another generation --> held: the pod starts the daemon anew, with processors of the new model
"""

from collections.abc import Mapping
from dataclasses import dataclass

from checkpoint.control import NEVER, Control
from checkpoint.cutover import Place, newest
from checkpoint.positions import Stopped
from consumer.settings.context import ShardContext
from consumer.shard.brake import Brake
from consumer.shard.path import RecordPath


@dataclass(frozen=True, slots=True)
class _Held:
    """A processor that stands still; `place`: the newest record that had come when it was stopped."""

    token: str
    reason: str
    place: Place | None


class Standstill:
    """The brakes of one shard."""

    def __init__(self, context: ShardContext, path: RecordPath, brakes: Mapping[str, Brake]) -> None:
        self._context = context
        self._path = path
        self._brakes = brakes
        self._held: dict[str, _Held] = {}

    @property
    def reasons(self) -> dict[str, str]:
        """Why each processor that stands still does, for people."""
        return {name: held.reason for name, held in self._held.items()}

    def heed(self, controls: Mapping[str, Control]) -> None:
        """Do as the control row says."""
        for name, brake in self._brakes.items():
            control = controls.get(name, NEVER)
            reason = self._context.halted.get(name) or _reason(control, self._context.generation_of(name))
            if reason is not None:
                self._hold(name, brake, control.token, reason)
            elif name in self._held:
                del self._held[name]
                brake.is_on = False
                self._path.thaw(name)

    def told(self, checkpoint: Place | None, marks: Mapping[str, Place]) -> dict[str, Stopped]:
        """What the shard's row says of those that have come to rest.

        Args:
            checkpoint: KCL's.
            marks: how far each processor is, in this tenure or an earlier one.
        """
        worker = self._context.worker_id
        return {
            name: Stopped(held.token, worker, newest(held.place, checkpoint, marks.get(name)))
            for name, held in self._held.items()
            if self._brakes[name].is_still
        }

    def _hold(self, name: str, brake: Brake, token: str, reason: str) -> None:
        before = self._held.get(name)
        if before is not None:
            place = before.place
        else:
            brake.is_on = True
            self._path.freeze(name)
            last = self._path.frontier.newest
            place = None if last is None else (last.sequence_number, last.sub_sequence_number)
        self._held[name] = _Held(token, reason, place)


def _reason(control: Control, generation: int) -> str | None:
    if control.generation != generation:
        return f"cut over to {control.into!r}: it goes on once the pod has started the daemon anew"
    if control.phase == "live":
        return None
    return (
        f"stopped for its cut-over to {control.into!r}: it goes on once `tidemark cutover` is done;"
        " should that have died, run it again"
    )
