"""A processor that stands still writes nothing, moves no frontier, says so, and goes on as if nothing was."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from checkpoint.control import Control
from checkpoint.positions import Stopped
from consumer.settings.context import ShardContext
from consumer.shard.brake import Brake
from consumer.shard.path import decode_all
from consumer.shard.standstill import Standstill
from consumer.shard.window import Window
from tests.support.context import shard_context
from tests.unit.shard.rig import HeldProcessor, Letters, PathDelivery, make_path, running, until
from tests.unit.shard.tenure_rig import records

STOP = Control(phase="stop", token="t", into="view-2")  # noqa: S106 - no secret
GO = Control(phase="live", token="t", into="view-2")  # noqa: S106 - no secret
CUT_OVER = Control(phase="live", token="t", into="view-2", generation=1)  # noqa: S106 - no secret


@dataclass(slots=True)
class Shard:
    """A shard with one processor, and what its row would say of it."""

    standstill: Standstill
    delivery: PathDelivery
    processor: HeldProcessor
    context: ShardContext

    def heed(self, control: Control | None) -> None:
        self.standstill.heed({} if control is None else {"view": control})

    def accept(self, *letters: str, first: int = 1) -> None:
        came = records(*letters, first=first)
        self.delivery.window.admit(len(came), 1)
        self.delivery.accept(came, decode_all(came), None)

    def told(self) -> Mapping[str, Stopped]:
        return self.standstill.told(None, {})


@asynccontextmanager
async def shard(context: ShardContext | None = None) -> AsyncIterator[Shard]:
    context = context or shard_context()
    window, processor = Window(records=100, size=1_000_000), HeldProcessor()
    brake = Brake(None if "view" in context.halted else processor, is_stopping=lambda: delivery.is_stopping)
    path = make_path({"view": brake}, window, Letters())
    delivery = PathDelivery(path, window)
    async with running(delivery):
        try:
            yield Shard(Standstill(context, path, {"view": brake}), delivery, processor, context)
        finally:
            processor.let_go()


async def test_nothing_is_told_of_a_processor_that_nobody_stops() -> None:
    async with shard() as at:
        at.heed(None)
        at.processor.let_go()
        at.accept("a")
        await until(lambda: at.delivery.place == ("1", 0))
        assert at.told() == {}
        assert at.standstill.reasons == {}


async def test_it_is_at_rest_only_once_what_was_under_way_has_ended() -> None:
    async with shard() as at:
        at.accept("a", "b")
        await until(lambda: at.processor.begun == 2)
        at.heed(STOP)
        assert at.told() == {}
        at.processor.let_go()
        await until(lambda: bool(at.told()))
        assert at.told() == {"view": Stopped("t", "pod-0", ("2", 0))}


async def test_what_ends_after_the_stop_moves_no_frontier_until_it_goes_on() -> None:
    async with shard() as at:
        at.accept("a", "b")
        await until(lambda: at.processor.begun == 2)
        at.heed(STOP)
        at.processor.let_go()
        await until(lambda: bool(at.told()))
        held = at.delivery.place
        at.heed(GO)
        assert (held, at.delivery.place) == (None, ("2", 0))
        assert at.told() == {}


async def test_what_comes_meanwhile_is_written_once_it_goes_on() -> None:
    async with shard() as at:
        at.processor.let_go()
        at.heed(STOP)
        at.accept("a", "b")
        await asyncio.sleep(0.5)
        assert at.processor.begun == 0
        at.heed(GO)
        await until(lambda: at.delivery.place == ("2", 0))


async def test_a_shard_that_begins_meanwhile_has_written_nothing() -> None:
    async with shard() as at:
        at.heed(STOP)
        at.accept("a")
        assert at.told() == {"view": Stopped("t", "pod-0", None)}
        assert at.standstill.told(("7", 0), {"view": ("9", 1)})["view"].place == ("9", 1)
        assert at.standstill.told(("10", 0), {"view": ("9", 1)})["view"].place == ("10", 0)


async def test_it_stands_still_on_a_model_it_does_not_know() -> None:
    async with shard() as at:
        at.heed(CUT_OVER)
        assert "view-2" in at.standstill.reasons["view"]
        at.heed(GO)
        assert at.standstill.reasons == {}


async def test_on_the_model_it_was_made_for_it_goes_on() -> None:
    async with shard(shard_context().model_copy(update={"generations": {"view": 1}})) as at:
        at.heed(CUT_OVER)
        assert at.standstill.reasons == {}
        at.heed(GO)
        assert "view" in at.standstill.reasons


async def test_settings_that_made_another_model_write_nothing_whatever_the_control_says() -> None:
    context = shard_context().model_copy(
        update={"generations": {"view": 1}, "halted": {"view": "other settings"}}
    )
    async with shard(context) as at:
        at.heed(CUT_OVER)
        at.accept("a")
        await asyncio.sleep(0.5)
        assert at.standstill.reasons == {"view": "other settings"}
        assert at.delivery.place is None


async def test_a_drain_does_not_wait_for_a_processor_that_stands_still() -> None:
    async with shard() as at:
        at.heed(STOP)
        at.accept("a")
        await asyncio.sleep(0.5)
        at.delivery.stop(lease_lost=False)
        await until(lambda: at.delivery.is_drained)
        assert at.processor.begun == 0
