"""A cut-over step by step: where it waits, what it refuses, and that a crash after any step is mended."""

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest

from checkpoint.api import Api
from checkpoint.control import NEVER, Control, Controls, Pointer
from checkpoint.positions import ShardPosition
from consumer.aws.client import Answer
from consumer.commands.cutover.run import Cutover, RefusedError, Tools
from consumer.commands.cutover.tables import TableSwitch
from consumer.commands.rebuild.plan import RebuildPlan, plan_rebuild
from consumer.commands.redrive.patience import Patience
from consumer.errors import SettingsError
from tests.integration.pod.conftest import Shop
from tests.integration.rebuild.conftest import SHARD, Played

STEPS = ("stop", "stopped", "reached", "finished")
Both = tuple[Played, Played]


class KilledError(Exception):
    """Stands for SIGKILL: nothing is tidied up."""


class Stage:
    """What a cut-over shows and does; it is killed after `dies_after`, or stopped once something is shown."""

    def __init__(self, *, dies_after: str | None = None, stops_at: str | None = None) -> None:
        self.stop = asyncio.Event()
        self.shown: list[str] = []
        self.steps: list[str] = []
        self._dies_after = dies_after
        self._stops_at = stops_at

    def show(self, line: str) -> None:
        self.shown.append(line)
        if self._stops_at is not None and self._stops_at in line:
            self.stop.set()

    def on_step(self, step: str) -> None:
        self.steps.append(step)
        if step == self._dies_after:
            raise KilledError(step)

    @property
    def tools(self) -> Tools:
        patience = Patience(self.stop, random.random, lambda _: None)
        return Tools(patience, time.time, self.show, self.stop, self.on_step)


async def no_pause(_seconds: float) -> None:
    """Tests do not wait."""


class Stream:
    """Kinesis that holds one record of a shard, which is the oldest there is."""

    def __init__(self, held: str) -> None:
        self._held = held

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "GetShardIterator":
            return Answer({"ShardIterator": request["StartingSequenceNumber"]}, None)
        return Answer({"Records": [{"SequenceNumber": self._held}]}, None)


async def run(
    dynamodb: Api, plan: RebuildPlan, stage: Stage | None = None, *, allows: bool = False, held: str = "1"
) -> Stage:
    stage = stage or Stage()
    old = Pointer(plan.processor.store.dynamodb.table, None)  # type: ignore[union-attr]  # the shop's
    switch = TableSwitch(dynamodb, plan, old, Pointer(plan.into, None), no_pause)
    await Cutover(dynamodb, Stream(held), plan, switch, stage.tools, allows_missing=allows).run()
    return stage


async def control_of(dynamodb: Api, plan: RebuildPlan) -> Control:
    return (await Controls(dynamodb, plan.live.application).read()).get("view", NEVER)


async def pointer_of(dynamodb: Api, plan: RebuildPlan) -> Pointer | None:
    return (await Controls(dynamodb, plan.live.application).read_pointers(["view"])).get("view")


async def both_at(both: Both, number: int) -> "asyncio.Task[None]":
    """Live and rebuild have settled as much; the live one stops when it is told to."""
    live, rebuilt = both
    await live.settled(number)
    await rebuilt.settled(number)
    return asyncio.create_task(live.obey(number))


async def test_the_new_model_is_the_live_one_from_the_last_step_on(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    await both_at(both, 5)

    stage = await run(dynamodb, plan)

    assert stage.steps == list(STEPS)
    assert await pointer_of(dynamodb, plan) == Pointer(plan.into, None)
    control = await control_of(dynamodb, plan)
    assert (control.phase, control.generation, control.into) == ("live", 1, plan.into)


async def test_the_settings_that_the_pods_have_until_then_are_kept_as_the_earlier_ones(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    live, _ = both
    known = await live.positions.read_processors()
    assert known is not None
    assert await live.positions.write_processors({**known, "view": "before"}, known)
    await both_at(both, 5)

    await run(dynamodb, plan)

    control = await control_of(dynamodb, plan)
    assert (control.fingerprint, control.earlier) == (known["view"], ("before",))


@pytest.mark.parametrize("step", STEPS)
async def test_a_cut_over_that_is_killed_after_any_step_is_run_again_and_goes_on(
    both: Both, dynamodb: Api, plan: RebuildPlan, step: str
) -> None:
    obeying = await both_at(both, 5)
    with pytest.raises(KilledError):
        await run(dynamodb, plan, Stage(dies_after=step))
    await obeying
    before = await control_of(dynamodb, plan)

    if before.phase == "live":
        assert step == "finished"
    else:
        assert await pointer_of(dynamodb, plan) is None
        await run(dynamodb, plan)
    after = await control_of(dynamodb, plan)
    assert (after.phase, after.generation, after.token) == ("live", 1, before.token)
    assert await pointer_of(dynamodb, plan) == Pointer(plan.into, None)


async def test_nothing_is_stopped_while_the_rebuild_is_behind(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    live, rebuilt = both
    await live.settled(9)
    await rebuilt.settled(5)

    with pytest.raises(RefusedError, match="nothing was changed"):
        await run(dynamodb, plan, Stage(stops_at="the rebuild is behind on shardId-000000000000"))

    assert await control_of(dynamodb, plan) == NEVER


async def test_a_live_processor_that_always_is_a_little_ahead_is_not_run_after(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    live, rebuilt = both

    async def race() -> None:
        number = 5
        while (control := await control_of(dynamodb, plan)).phase != "stop":
            number += 1
            await live.settled(number)
            await rebuilt.settled(number - 1)
            await asyncio.sleep(0.05)
        await live.settled(number, stopped=control)
        await rebuilt.settled(number)

    racing = asyncio.create_task(race())
    await run(dynamodb, plan)

    await racing
    assert (await control_of(dynamodb, plan)).generation == 1


async def test_an_interrupt_takes_the_stop_back(both: Both, dynamodb: Api, plan: RebuildPlan) -> None:
    live, rebuilt = both
    await live.settled(5)
    await rebuilt.settled(5)

    with pytest.raises(RefusedError, match="goes on as before"):
        await run(dynamodb, plan, Stage(stops_at="waiting for the live processor to stop on shardId"))

    control = await control_of(dynamodb, plan)
    assert (control.phase, control.generation) == ("live", 0)


async def test_it_waits_for_what_was_written_live_before_the_stop(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    live, rebuilt = both
    await live.settled(5)
    await rebuilt.settled(5)
    obeying = asyncio.create_task(live.obey(8))
    stage = Stage()
    cutting = asyncio.create_task(run(dynamodb, plan, stage))
    await obeying
    while not any("behind" in line for line in stage.shown):  # noqa: ASYNC110 - the other side shows, no event
        await asyncio.sleep(0.01)
    assert "stopped" in stage.steps
    assert "reached" not in stage.steps

    await rebuilt.settled(8)
    await cutting

    assert (await control_of(dynamodb, plan)).generation == 1


async def test_an_idle_shard_whose_last_record_was_trimmed_is_reached_by_who_was_at_its_end(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    live, rebuilt = both
    await live.settled(5)
    await rebuilt.positions.write_shard(ShardPosition(SHARD, {}, time.time()))
    obeying = asyncio.create_task(live.obey(5))

    with pytest.raises(RefusedError, match="nothing was changed"):
        await run(dynamodb, plan, Stage(stops_at="the rebuild is behind"), held="5")
    await run(dynamodb, plan, held="6")

    await obeying
    assert (await control_of(dynamodb, plan)).generation == 1


async def test_without_a_rebuild_there_is_nothing_to_cut_over_to(
    live: Played, dynamodb: Api, plan: RebuildPlan
) -> None:
    await live.make()
    with pytest.raises(SettingsError, match="there is no rebuild of view"):
        await run(dynamodb, plan)


async def test_settings_that_the_rebuild_did_not_run_with_are_refused(
    both: Both, dynamodb: Api, shop: Shop
) -> None:
    await both_at(both, 5)
    processor = shop.processor("view")
    processor["projection"] = {**processor["projection"], "fields": {"total": "new.total"}}  # type: ignore[dict-item]  # a mapping
    other = plan_rebuild(shop.settings(processors=[processor]), "view", None, 0)

    with pytest.raises(SettingsError, match="other settings"):
        await run(dynamodb, other)


async def test_a_cut_over_to_another_model_is_finished_first(
    both: Both, dynamodb: Api, plan: RebuildPlan, shop: Shop
) -> None:
    await both_at(both, 5)
    with pytest.raises(KilledError):
        await run(dynamodb, plan, Stage(dies_after="stop"))

    with pytest.raises(SettingsError, match=f"--into {plan.into}"):
        await run(dynamodb, plan_rebuild(shop.settings(), "view", f"{shop.view}-other", 0))
