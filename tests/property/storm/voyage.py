"""Carries a history out, from the first tenure to the calm, and looks at the end."""

import asyncio

from tests.property.storm.history import History
from tests.property.storm.lease import Lease
from tests.property.storm.outfit import Outfit
from tests.property.storm.tenure import Tenure
from tests.property.storm.world import Note, World
from tests.support.virtual_time import StuckError, run_in_virtual_time

_PATIENCE_SECONDS = 900.0
"""Once all faults are over, everything comes to its end in this time."""


def carry_out(history: History, outfit: Outfit) -> tuple[str | None, list[Note]]:
    """What broke the promise, None where nothing did; and the trace."""

    trace: list[Note] = []

    async def main() -> str | None:
        return await _watch(World(history, trace), outfit)

    try:
        return run_in_virtual_time(main), trace
    except StuckError as error:
        return str(error), trace


async def _watch(world: World, outfit: Outfit) -> str | None:
    lease = Lease(world)
    sailing = asyncio.ensure_future(_sail(lease, world, outfit))
    limit = world.history.calm_at + _PATIENCE_SECONDS
    await asyncio.wait([sailing, world.breach], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    if not sailing.done() and not world.breach.done():
        world.broken(f"not everything came to its end in {limit:.0f} s; KCL is at {lease.checkpoint}")
    if world.breach.done():
        sailing.cancel()
        return str(world.breach.exception())
    if sailing.cancelled():
        return "the last process was gone before it had drained"
    sailing.result()
    return None


async def _sail(lease: Lease, world: World, outfit: Outfit) -> None:
    history = world.history
    await asyncio.sleep(history.begins_at)
    tenures: list[Tenure] = []
    for ending in (*history.endings, None):
        tenure = Tenure(lease, world, outfit, len(tenures), ending)
        tenures.append(tenure)
        tenure.begin()
        how = await tenure.over
        if how == "finished":
            break
        if ending is not None and how != "stolen":
            await asyncio.sleep(ending.pause)
    await _end(world, tenures)
    if history.is_replayed and await lease.is_known():
        lease.set_back()
        replaying = Tenure(lease, world, outfit, len(tenures), None)
        replaying.begin()
        await replaying.over
        await _end(world, [*tenures, replaying])


async def _end(world: World, tenures: list[Tenure]) -> None:
    """The last has finished; whoever lost the lease and still writes ends some time."""
    for tenure in tenures[:-1]:
        await tenure.process.gone.wait()
    await tenures[-1].finish()
    world.check_view()
