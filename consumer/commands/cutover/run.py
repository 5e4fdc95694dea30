"""A cut-over, step by step. A crash after any step: run it again, and it goes on from there.

checked, nothing missing, rebuild near --> stop written --> live stopped --> rebuild as far --> finished
                                                |______ Ctrl-C: taken back ______|          |      ^
                                                   stores without the last transaction: swapping -> swapped

From `stop` on no shard process of the live application writes to either model, whoever starts one, until the
cut-over is finished or taken back; what they read meanwhile stays in the stream. The rebuild goes on writing
to the new model all the time, and ends itself once it sees that it was cut over: what both write is the same,
and the gate lets each change in once.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from checkpoint.api import Api
from checkpoint.control import NEVER, Control, Controls, Pointer
from checkpoint.cutover import Application, Place, behind, places, running
from checkpoint.held import is_held
from checkpoint.leases import read_leases
from checkpoint.positions import Positions, ShardPosition
from checkpoint.rebuilds import Rebuilds
from consumer.commands.cutover.switch import Switch
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.commands.redrive.patience import Patience, StoppedError
from consumer.errors import SettingsError, TidemarkError, Unavailable
from consumer.processors.base import fingerprint

_LOOK_SECONDS = 1.0
_SHARDS_SHOWN = 3
_BEHIND = "the rebuild is behind on"
_NEAR_SECONDS = 30.0
"""A rebuild that was as far within this time will be so soon after the stop."""

_SHORTER_THAN_RETENTION_SECONDS = 43_200.0
"""Half of the shortest there is: leaves room for clocks that differ."""


class RefusedError(TidemarkError):
    """The cut-over was not done, and the live processor goes on as before."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a cut-over is handed.

    Attributes:
        clock: Unix seconds.
        show: told what it waits for.
        on_step: told of each step that is done.
        stop: set by Ctrl-C.
    """

    patience: Patience
    clock: Callable[[], float]
    show: Callable[[str], None]
    stop: asyncio.Event
    on_step: Callable[[str], None] = lambda _: None


class Cutover:
    """One run of it."""

    def __init__(
        self,
        dynamodb: Api,
        kinesis: Api,
        plan: RebuildPlan,
        switch: Switch,
        tools: Tools,
        *,
        allows_missing: bool,
    ) -> None:
        """Take both services in the application's region.

        `allows_missing`: a person's word that nothing is lost.
        """
        self._dynamodb = dynamodb
        self._kinesis = kinesis
        self._plan = plan
        self._switch = switch
        self._tools = tools
        self._allows_missing = allows_missing
        self._controls = Controls(dynamodb, plan.live.application)

    async def run(self) -> None:
        """Cut over.

        Raises:
            SettingsError: something a person has to put right first; nothing was stopped.
            RefusedError: it was not done, and why; the live processor goes on as before.
        """
        keep = self._tools.patience.keep_trying
        control = (await keep(self._controls.read)).get(self._plan.name, NEVER)
        if control.phase == "live":
            control = await self._begin(control)
        elif control.application != self._plan.application:
            raise SettingsError(
                f"{self._plan.name} is being cut over to {control.into!r} already; finish that first:"
                f" tidemark cutover --processor {self._plan.name} --into {control.into}"
            )
        if control.phase == "stop":
            control = await self._while_it_stands_still(control)
        if control.phase == "swapping":
            await self._swap(control)
        at, pointer = int(self._tools.clock()), self._switch.pointer
        if not await keep(lambda: self._finish(control, at, pointer)):
            raise SettingsError(f"another cut-over of {self._plan.name} was quicker; look at what it did")
        self._tools.on_step("finished")

    async def _finish(self, control: Control, at: int, pointer: Pointer | None) -> bool:
        if await self._controls.finish(self._plan.name, control, at=at, pointer=pointer):
            return True
        if (await self._controls.read()).get(self._plan.name) == control:
            message = "another processor's cut-over, or a pod's start, was in the way of the last step"
            raise Unavailable(message, code="TransactionConflict")
        return False

    async def _begin(self, control: Control) -> Control:
        """All that takes long, while the live processor goes on; then stop it."""
        try:
            await self._tools.patience.keep_trying(self._check)
            await self._until_near()
            await self._see_that_nothing_is_missing()
        except StoppedError:
            raise RefusedError("interrupted; nothing was changed") from None
        made_by, live = fingerprint(self._plan.processor), self._plan.live.application
        known = await self._tools.patience.keep_trying(Positions(self._dynamodb, live).read_processors)
        stopping = replace(
            control,
            phase="stop",
            token=uuid.uuid4().hex,
            since=int(self._tools.clock()),
            into=self._plan.into,
            application=self._plan.application,
            fingerprint=made_by,
            earlier=control.succeeding((known or {}).get(self._plan.name), made_by),
        )
        return await self._change(control, stopping)

    async def _until_near(self) -> None:
        """Until the rebuild is where the live processor was a moment ago; both go on meanwhile."""
        while True:
            began = self._tools.clock()
            live = await self._tools.patience.keep_trying(
                partial(self._application, self._plan.live.application)
            )
            at = places(live, self._plan.name, None)
            await self._wait(partial(self._behind, at), _BEHIND)
            if self._tools.clock() - began <= _NEAR_SECONDS:
                return

    async def _while_it_stands_still(self, control: Control) -> Control:
        """Wait for both, and take the step from which there is no way back; or take back the stop."""
        try:
            await self._wait(
                lambda: self._running(control.token), "waiting for the live processor to stop on"
            )
            self._tools.on_step("stopped")
            live = await self._tools.patience.keep_trying(
                partial(self._application, self._plan.live.application)
            )
            at = places(live, self._plan.name, control.token)
            await self._wait(partial(self._behind, at), _BEHIND)
            self._tools.on_step("reached")
        except StoppedError:
            await self._take_back(control)
            raise RefusedError(f"interrupted; {self._plan.name} goes on as before") from None
        if self._switch.pointer is not None:
            return control  # the last transaction is the swap
        return await self._change(control, replace(control, phase="swapping"))

    async def _swap(self, control: Control) -> None:
        """All at once, or not at all; where it can't be done for ever, the live processor goes on."""
        try:
            await self._tools.patience.keep_trying(self._switch.swap)
        except SettingsError as error:
            await self._take_back(control)
            raise RefusedError(
                f"{error}; nothing was done, and {self._plan.name} goes on as before"
            ) from None
        self._tools.on_step("swapped")

    async def _take_back(self, control: Control) -> None:
        back = replace(control, phase="live", since=int(self._tools.clock()))
        if not await self._controls.change(self._plan.name, control, back):
            raise SettingsError(f"another cut-over of {self._plan.name} went on meanwhile")

    async def _check(self) -> None:
        known = await Positions(self._dynamodb, self._plan.application).read_processors()
        if known is None or not await read_leases(self._dynamodb, self._plan.application):
            raise SettingsError(
                f"there is no rebuild of {self._plan.name} into {self._plan.into!r}; start one:"
                f" tidemark rebuild --processor {self._plan.name}, with the same --into"
            )
        if known.get(self._plan.name) != fingerprint(self._plan.rebuilt):
            raise SettingsError(
                f"{self._plan.into!r} was built with other settings of {self._plan.name} than these; use the"
                " file that the rebuild ran with"
            )
        await self._switch.check()

    async def _change(self, was: Control, now: Control) -> Control:
        if not await self._tools.patience.keep_trying(
            lambda: self._controls.change(self._plan.name, was, now)
        ):
            raise SettingsError(f"another cut-over of {self._plan.name} is under way; run this one again")
        self._tools.on_step(now.phase)
        return now

    async def _wait(self, look: Callable[[], Awaitable[list[str]]], why: str) -> None:
        """Until nothing is left to wait for; raises StoppedError where somebody says stop."""
        while waiting := await self._tools.patience.keep_trying(look):
            more = f" and {len(waiting) - _SHARDS_SHOWN} more" if len(waiting) > _SHARDS_SHOWN else ""
            self._tools.show(f"{why} {', '.join(waiting[:_SHARDS_SHOWN])}{more}")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._tools.stop.wait()
            self._tools.patience.see_that_nobody_stopped()

    async def _running(self, token: str) -> list[str]:
        live = await self._application(self._plan.live.application)
        return [
            f"{shard_id} (of worker {owner})"
            if owner
            else f"{shard_id} (nobody has its lease: is the service up?)"
            for shard_id, owner in running(live, self._plan.name, token).items()
        ]

    async def _behind(self, at: Mapping[str, Place | None]) -> list[str]:
        live = await self._application(self._plan.live.application)
        rebuilt = await self._application(self._plan.application)
        waiting = behind(live, at, rebuilt, self._plan.name)
        return [
            shard_id
            for shard_id in waiting
            if not await self._was_trimmed(shard_id, at.get(shard_id), rebuilt.rows.get(shard_id))
        ]

    async def _was_trimmed(self, shard_id: str, place: Place | None, row: ShardPosition | None) -> bool:
        """Whether the live place of an idle shard is older than the stream, of which the rebuild has all.

        It never sees that record; but it has been at the shard's end since the record's retention was over.
        """
        if place is None or row is None or row.caught_up_at is None:
            return False
        if self._tools.clock() - row.caught_up_at >= _SHORTER_THAN_RETENTION_SECONDS:
            return False
        stream = self._plan.live.source.kinesis.stream
        return not await is_held(self._kinesis, stream, shard_id, place[0])

    async def _application(self, name: str) -> Application:
        # Rows first: a checkpoint that a lease has is never behind what a row said before.
        rows = await Positions(self._dynamodb, name).read_all()
        leases = await read_leases(self._dynamodb, name)
        return Application({lease.lease_key: lease for lease in leases}, {row.shard_id: row for row in rows})

    async def _see_that_nothing_is_missing(self) -> None:
        """Raises RefusedError where readers would miss rows.

        Done before the stop: what is missing is what the stream no longer holds, and that grows no more.
        """
        keep, plan = self._tools.patience.keep_trying, self._plan
        if self._allows_missing:
            return
        backfill = await keep(Rebuilds(self._dynamodb, plan.application).read_backfill)
        if backfill is not None and backfill.is_done:
            if backfill.rejected:
                raise RefusedError(
                    f"{backfill.rejected:,} items of the source could not be put into {plan.into!r}; mend"
                    " them and build anew, or say --allow-missing"
                )
            return
        if backfill is not None:
            raise RefusedError(
                f"the scan of the source into {plan.into!r} is not done: let tidemark rebuild --backfill"
                " run to its end, or say --allow-missing"
            )
        show = self._tools.show
        missing = await keep(lambda: self._switch.missing(lambda count: show(f"{count:,} rows compared")))
        if missing is None:
            raise RefusedError(
                f"{plan.into!r} is made in another way than the live model, so that the two can't be compared"
                " row by row: run the rebuild with --backfill, or say --allow-missing if the stream holds the"
                " whole life of every item"
            )
        if missing:
            raise RefusedError(
                f"{plan.into!r} knows nothing of items that the live model has: the stream no longer holds"
                " their changes, or the new settings leave them out. The first of them:\n  "
                + "\n  ".join(missing)
                + "\nRun the rebuild with --backfill, or say --allow-missing if that is meant"
            )
