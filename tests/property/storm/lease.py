"""KCL's side of the shard: whose the lease is and where it is checkpointed; and our positions beside it."""

from collections.abc import Mapping

from checkpoint.checkpointer import Place
from checkpoint.positions import Positions, ShardPosition
from tests.property.storm.world import APPLICATION, World

SHARD = "shard"
_REFUSAL_SECONDS = 10.0
"""How long KCL goes on refusing checkpoints once it is calm, so that the last one is refused too."""


class Lease:
    """The shard's."""

    def __init__(self, world: World) -> None:
        self.owner = 0
        self.checkpoint: Place | None = None
        self._world = world

    def set_back(self) -> None:
        """A person wants everything to be seen again."""
        self.checkpoint = None
        self._world.forget()

    def take_checkpoint(self, owner: int, place: Place) -> str | None:
        """KCL's answer to a checkpoint: the name of an exception, or None."""
        world, last = self._world, int(place[0])
        for course in world.history.courses:
            world.check_settled(course.name, last, "a checkpoint is asked for")
        if owner != self.owner:
            return "ShutdownException"
        is_calm = world.now >= world.history.calm_at + _REFUSAL_SECONDS
        is_refused = not is_calm and world.random.random() < world.history.refusal_rate
        if is_refused and world.random.random() < 0.5:
            return world.random.choice(["ThrottlingException", "KinesisClientLibDependencyException"])
        if self.checkpoint is not None and last < int(self.checkpoint[0]):
            world.broken(f"a checkpoint goes back from {self.checkpoint} to {place}")
        self.checkpoint = place
        world.note("KCL", "checkpoints", last)
        return "KinesisClientLibRetryableException" if is_refused else None

    async def is_known(self) -> bool:
        """Whether the positions say where KCL is, so that a lease set back is found out.

        They don't where the last process was killed between the checkpoint and its writing down.
        """
        row = await self._positions()
        return row is not None and row.checkpoint == self.checkpoint

    async def check_positions(self, marks: Mapping[str, int]) -> None:
        """See that no processor's position is beyond what it has settled, nor before where it began.

        A row whose checkpoint is beyond the lease's is void: somebody set the lease back.
        """
        row = await self._positions()
        at = 0 if self.checkpoint is None else int(self.checkpoint[0])
        if row is None or (row.checkpoint is not None and int(row.checkpoint[0]) > at):
            return
        for name, mark in row.processors.items():
            self._world.check_settled(name, int(mark.sequence_number), "positions stand")
        for name, began in marks.items():
            if name not in row.processors or int(row.processors[name].sequence_number) < began:
                self._world.broken(f"the positions forget that {name} had settled {began}")

    async def _positions(self) -> ShardPosition | None:
        return await Positions(self._world.dynamodb, APPLICATION).read_shard(SHARD)
