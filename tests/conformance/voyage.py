"""Carries a history out, from the first tenure to the last letter, and looks at the end."""

import asyncio

from consumer.errors import Rejected, Unavailable
from consumer.settings.context import ShardContext
from consumer.settings.model import Settings
from consumer.shard.envelopes import decode
from tests.conformance.cases import Case
from tests.conformance.history import History
from tests.conformance.pace import Pace
from tests.conformance.process import PROCESSOR, Process, Stage
from tests.conformance.targets.base import Standing, Target
from tests.conformance.targets.dynamodb import SOURCE_REGION, table_facts
from tests.conformance.truth import ReadModel, truth
from tests.conformance.world import World
from tests.support.changes import TABLE
from tests.support.virtual_time import StuckError

_TRIES = 200
_TTL = "expires"
_LINES = 200


class BreachError(AssertionError):
    """A history that does not end at the truth, and what happened in it."""


def carry_out(target: Target, case: Case, history: History) -> None:
    """Carry a history out on a store.

    Raises:
        BreachError: it does not end at the truth, or not at all.
    """
    target.run(lambda: _carry_out(target, case, history))


async def _carry_out(target: Target, case: Case, history: History) -> None:
    world = World(case, history, target.unit)
    try:
        async with target.stand(case) as standing, asyncio.timeout(target.patience):
            stage = Stage(
                world,
                await _context(case, standing, target.key_wait),
                lambda pace: standing.stores(pace, {TABLE: world.source}),
                target.clock,
            )
            writing = asyncio.create_task(world.write_all())
            for _ in range(1 + history.is_replayed):
                await asyncio.gather(*(_tenures(stage, shard) for shard in range(len(history.shards))))
                _check_letters(world)
                await _redrive(stage)
                _compare(await standing.rows(), truth(case, history))
            await writing
    except (AssertionError, Rejected, Unavailable, TimeoutError, StuckError, ExceptionGroup) as error:
        lines = (f"  {note.at:9.4f}  {note.who:10} {note.what}" for note in world.trace[-_LINES:])
        raise BreachError(
            "\n".join([f"{type(error).__name__}: {error}", "what happened:", *lines])
        ) from error


def _compare(found: ReadModel, true: ReadModel) -> None:
    """See that readers find what is true, and nothing else."""
    keys = sorted(found.keys() | true.keys(), key=str)
    wrong = {key: (found.get(key), true.get(key)) for key in keys if found.get(key) != true.get(key)}
    if wrong:
        raise BreachError(
            "\n".join(f"{key}: found {one}, true is {other}" for key, (one, other) in wrong.items())
        )


async def _tenures(stage: Stage, shard: int) -> None:
    """Owners of one shard, one after the other and beside each other, until all is settled by the last."""
    processes: list[Process] = []
    start = 0
    for number, ending in enumerate((*stage.world.history.shards[shard].endings, None)):
        process = Process(stage, shard, f"{shard}/{number}", start, ending)
        processes.append(process)
        await process.over.wait()
        start = max(0, process.frontier - (0 if ending is None else ending.back))
    await asyncio.gather(*(process.task for process in processes))
    assert processes[-1].is_at_the_end, f"shard {shard} came to place {processes[-1].frontier}"


def _check_letters(world: World) -> None:
    """See that no record is buried but for a reason that the history gives."""
    orders = {number: write.order for number, write in enumerate(world.history.writes)}
    names = {
        decode(record.stream).item: write.item
        for records, shard in zip(world.streams, world.history.shards, strict=True)
        for record, write in zip(records, (world.history.writes[n] for n in shard.stream), strict=True)
    }
    for letter in world.letters:
        assert letter.change is not None
        item = names[letter.change.item]
        own = [orders[n] for n, write in enumerate(world.history.writes) if write.item == item]
        is_bad = letter.error.code in ("KeyIsNull", "KeyNotUnique") and not all(map(world.case.takes, own))
        is_claimed = letter.error.code == "KeyNotUnique" and world.case.moves
        assert is_bad or is_claimed, f"{letter.error.code}: {letter.error}"


async def _redrive(stage: Stage) -> None:
    """Hand the buried records over once more, in any order; who waits for another's key has it in the end."""
    world = stage.world
    changes = {letter.record.sequence_number: letter.change for letter in world.letters if letter.change}
    waiting = list(changes.values())
    world.random.shuffle(waiting)
    async with stage.stores(Pace(world, "redrive", lambda _steps, _reads: None)) as stores:
        processor = stage.processor(stores)
        for _ in range(_TRIES):
            outcomes = [(await processor.process([change]))[0] for change in waiting]
            pairs = zip(waiting, outcomes, strict=True)
            waiting = [change for change, outcome in pairs if isinstance(outcome.error, Unavailable)]
            if not waiting:
                return
            await asyncio.sleep(world.unit)
    raise AssertionError(f"letters that can't be redriven: {outcomes}")


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
