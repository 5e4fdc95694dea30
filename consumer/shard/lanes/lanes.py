"""The lanes of one processor: an item's records go through one of them in stream order."""

import asyncio
from collections.abc import Sequence

from consumer.errors import Unavailable
from consumer.processors.base import Processor
from consumer.shard.deadletter.letter import DeadLetters
from consumer.shard.lanes.lane import Lane
from consumer.shard.lanes.outage import Outage
from consumer.shard.lanes.tools import LanePolicy, LaneTools, Settle, Ticket, Trouble


class Lanes:
    """The lanes of one processor in one shard process; made in a running event loop."""

    def __init__(
        self,
        name: str,
        processor: Processor,
        policy: LanePolicy,
        dead_letters: DeadLetters,
        settle: Settle,
        tools: LaneTools,
    ) -> None:
        self.name = name
        self._tools = tools
        outage = Outage(name, tools, pauses_on_rejected_run=policy.pauses_on_rejected_run)
        self._lanes = [
            Lane(name, processor, policy, dead_letters, settle, outage, tools) for _ in range(policy.lanes)
        ]
        self._came = [lane.backlog.ready.came for lane in self._lanes]

    @property
    def trouble(self) -> Trouble:
        """What keeps all of them from going on."""
        return self._tools.trouble

    def give(self, tickets: Sequence[Ticket]) -> None:
        """Queue records, each in its item's lane."""
        came, count = self._came, len(self._came)
        for ticket in tickets:
            came[hash(ticket[1].item) % count].append(ticket)
        for lane in self._lanes:
            if lane.backlog.ready:
                lane.filled()

    def hurry(self) -> None:
        """Wait for no batch to fill: nothing more comes until something is settled."""
        for lane in self._lanes:
            lane.hurry()

    async def run(self) -> None:
        """Deliver until stopped; raises what no record and no store can be blamed for."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.run())

    def stop(self) -> None:
        """Begin no further delivery; the one under way ends, a wait for another try ends at once."""
        for lane in self._lanes:
            lane.stop()

    def waiting(self) -> tuple[int, str | None]:
        """How many items are held back, and what keeps one of them that no attempt will bring to an end."""
        held = [held for lane in self._lanes for held in lane.backlog.held.values() if held.error is not None]
        stuck = next((held.error for held in held if isinstance(held.error, Unavailable)), None)
        return len(held), None if stuck is None else f"{stuck.code}: {stuck}"
