"""Carries a history out, from the first tenure to the last letter, and looks at the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import Processor
from consumer.record import ChangeRecord
from consumer.settings.context import ShardContext
from consumer.settings.model import Settings
from tests.conformance.cases import Case
from tests.conformance.history import History, Shard, item_keys
from tests.conformance.pace import Pace
from tests.conformance.process import PROCESSOR, Process, Stage
from tests.conformance.targets.base import Standing, Target
from tests.conformance.targets.dynamodb import SOURCE_REGION, table_facts
from tests.conformance.truth import truth
from tests.conformance.world import World
from tests.support.changes import TABLE
from tests.support.virtual_time import StuckError

_TRIES = 200
_TTL = "expires"
_LINES = 200


class BreachError(AssertionError):
    """A history that does not end at the truth, and what happened in it."""


def carry_out(target: Target, case: Case, history: History) -> None:
    """Carry a history out on a store, to the last letter.

    Raises:
        BreachError: it does not end at the truth, or not at all.
    """

    async def main() -> None:
        async with voyage_of(target, case, history) as voyage:
            for _ in range(1 + history.is_replayed):
                await voyage.deliver(history.shards)
                voyage.check_letters()
                await voyage.redrive()
                await voyage.check_rows()

    target.run(main)


@asynccontextmanager
async def voyage_of(
    target: Target, case: Case, history: History, *, key_wait: str | None = None
) -> "AsyncIterator[Voyage]":
    """A read model where nothing is yet; whatever goes wrong is told with what happened before.

    `key_wait`: by default the target's.
    """
    world = World(case, history, target.unit)
    try:
        async with target.stand(case) as standing, asyncio.timeout(target.patience):
            context = await _context(case, standing, key_wait or target.key_wait)
            stage = Stage(
                world, context, lambda pace: standing.stores(pace, {TABLE: world.source}), target.clock
            )
            yield Voyage(stage, standing)
    except (AssertionError, Rejected, Unavailable, TimeoutError, StuckError, ExceptionGroup) as error:
        lines = (f"  {note.at:9.4f}  {note.who:10} {note.what}" for note in world.trace[-_LINES:])
        message = "\n".join([f"{type(error).__name__}: {error}", "what happened:", *lines])
        raise BreachError(message) from error


class Voyage:
    """One read model, and one table's history."""

    def __init__(self, stage: Stage, standing: Standing) -> None:
        self._stage = stage
        self._standing = standing
        self._world = stage.world
        self.restart = standing.restart
        self.rows = standing.rows

    @property
    def letters(self) -> list[str]:
        """The codes of the errors for which records were buried."""
        return [letter.error.code for letter in self._world.letters]

    async def deliver(self, shards: Sequence[Shard], *, until: int | None = None) -> None:
        """Let the shards' owners settle all that they hold, while the table's writes are carried out.

        `until`: the first write that is still to come when they are done.
        """
        self._world.hold(shards)
        writing = asyncio.create_task(self._world.write(until))
        await asyncio.gather(*(self._tenures(shard) for shard in range(len(shards))))
        await writing

    async def _tenures(self, shard: int) -> None:
        """Owners of one shard, one after the other and beside each other, until the last has settled all."""
        processes: list[Process] = []
        start = 0
        for number, ending in enumerate((*self._world.shards[shard].endings, None)):
            process = Process(self._stage, shard, f"{shard}/{number}", start, ending)
            processes.append(process)
            await process.over.wait()
            start = max(0, process.frontier - (0 if ending is None else ending.back))
        await asyncio.gather(*(process.task for process in processes))
        assert processes[-1].is_at_the_end, f"shard {shard} came to place {processes[-1].frontier}"

    async def redrive(self) -> None:
        """Hand the buried records over once more, in any order; who waits for a key has it in the end."""
        world = self._world
        changes = {letter.record.data: letter.change for letter in world.letters if letter.change}
        waiting = list(changes.values())
        world.random.shuffle(waiting)
        async with self._stage.stores(Pace(world, "redrive", lambda _steps, _reads: None)) as stores:
            processor = self._stage.processor(stores)
            for _ in range(_TRIES):
                waiting = [change for change in waiting if not await _is_settled(processor, change)]
                if not waiting:
                    return
                await asyncio.sleep(world.unit)
        raise BreachError(f"letters that can't be redriven: {waiting}")

    async def check_rows(self) -> None:
        """See that readers find what is true, and nothing else."""
        found, true = await self.rows(), truth(self._world.case, self._world.history)
        keys = sorted(found.keys() | true.keys(), key=str)
        wrong = [key for key in keys if found.get(key) != true.get(key)]
        lines = (f"{key}: found {found.get(key)}, true is {true.get(key)}" for key in wrong)
        assert not wrong, "\n".join(lines)

    def check_letters(self) -> None:
        """See that no record is buried but for a reason that the history gives."""
        world = self._world
        takes = {
            item: all(world.case.takes(write.order) for write in world.history.writes if write.item == item)
            for item in world.history.last_orders()
        }
        keys = tuple(world.case.source_keys)
        for letter in world.letters:
            assert letter.change is not None
            (item,) = (item for item in takes if item_keys(item, keys) == letter.change.keys)
            is_bad = letter.error.code in ("KeyIsNull", "KeyNotUnique") and not takes[item]
            is_claimed = letter.error.code == "KeyNotUnique" and world.case.moves
            assert is_bad or is_claimed, f"{letter.error.code}: {letter.error}"


async def _is_settled(processor: Processor, change: ChangeRecord) -> bool:
    """Whether the change is settled, be it that it is rejected again."""
    try:
        (outcome,) = await processor.process([change])
    except Rejected:
        return True
    except Unavailable:
        return False
    return not isinstance(outcome.error, Unavailable)


async def _context(case: Case, standing: Standing, key_wait: str) -> ShardContext:
    """What the pod would hand to the shard processes, once it has made the target."""
    source = table_facts(TABLE, SOURCE_REGION, case.source_keys, ttl_attribute=_TTL if case.expires else None)
    wait = {"key_wait": key_wait} if case.moves else {}
    given = {
        "application": "conformance",
        "source": {"kinesis": {"stream": "orders-changes", "table": TABLE}},
        "processors": [{"name": PROCESSOR, case.kind: {**case.settings, **wait, "store": standing.store}}],
    }
    settings = Settings.model_validate(given)
    return ShardContext(
        settings=settings,
        worker_id="pod-0",
        region=SOURCE_REGION,
        endpoints=(),
        source_table=source,
        source_readable=True,
        targets={PROCESSOR: await standing.make(settings, source)},
        stream_retention_hours=24,
        first_start_at=0.0,
    )
