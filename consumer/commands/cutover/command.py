"""`tidemark cutover`: from the settings to the new model."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from checkpoint.api import Api
from checkpoint.control import NEVER, Control, Controls, Pointer
from checkpoint.positions import SUFFIX, Positions
from checkpoint.rebuilds import Rebuilds
from consumer.aws.boto import default_region, endpoint_url
from consumer.commands.cutover.indexes import IndexSwitch
from consumer.commands.cutover.run import Cutover, RefusedError, Tools
from consumer.commands.cutover.sql import SqlSwitch
from consumer.commands.cutover.switch import Switch
from consumer.commands.cutover.tables import TableSwitch, has_ledger, is_there
from consumer.commands.rebuild.command import planned
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.commands.rebuild.screen import open_screen
from consumer.commands.redrive.patience import Patience, StoppedError
from consumer.errors import SettingsError
from consumer.pod.targets.indexes import index_target
from consumer.processors.base import fingerprint
from consumer.settings.load import locate_settings
from consumer.settings.model import Settings
from consumer.settings.stores import DynamoDBTable
from consumer.stores.opened import Stores, open_stores


@dataclass(frozen=True, slots=True)
class Options:
    """The command line's."""

    config: Path
    processor: str
    into: str | None
    allows_missing: bool


async def cutover(options: Options, console: Console, tell: Callable[[str], None]) -> int:
    """Cut over, and tell how it went; gives the exit code.

    Raises:
        SettingsError: something a person has to put right first.
        Unavailable: AWS can't be asked now.
    """
    located = locate_settings(options.config)
    with located.telling():
        return await _cut_over(located.settings, options, console, tell)


async def _cut_over(
    settings: Settings, options: Options, console: Console, tell: Callable[[str], None]
) -> int:
    region = default_region()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_stores(endpoint_url) as stores:
        dynamodb = stores.aws.client("dynamodb", region)
        plan = await planned(settings, options.processor, options.into, stores, region)
        control = (await Controls(dynamodb, settings.application).read()).get(plan.name, NEVER)
        if _is_done(control, plan, options.into) and await _is_not_there(dynamodb, plan):
            tell(f"{plan.name} was cut over to {control.into} already; there is nothing left to do")
            return 0
        switch = await _switch(plan, stores, region)
        with open_screen(console, f"cutover {plan.name}") as screen:

            def wait(why: str | None) -> None:
                if why is not None:
                    screen.show(0.0, f"waiting, and trying again: {why}")

            tools = Tools(
                patience=Patience(stop, random.random, wait),
                clock=time.time,
                show=lambda line: screen.show(0.0, line),
                stop=stop,
            )
            try:
                kinesis = stores.aws.client("kinesis", region)
                allows = options.allows_missing
                await Cutover(dynamodb, kinesis, plan, switch, tools, allows_missing=allows).run()
            except RefusedError as error:
                tell(str(error))
                return 1
            except StoppedError:
                tell(f"interrupted when there was no way back: run it again, or {plan.name} stands still")
                return 1
    tell(f"{plan.name} {plan.outcome}, from now on; pods start their daemons anew, and the rebuild ends")
    own = f"tables {plan.application}, …-CoordinatorState, …-WorkerMetricStats and …{SUFFIX}"
    for line in (*switch.leftovers(), f"{own}, once the rebuild has ended"):
        tell(f"  may be deleted: {line}")
    return 0


def _is_done(control: Control, plan: RebuildPlan, into: str | None) -> bool:
    """Whether these settings' model is the live one, and no other is named."""
    is_live = control.phase == "live" and control.generation > 0 and into in (None, control.into)
    return is_live and fingerprint(plan.processor) == control.fingerprint


async def _is_not_there(dynamodb: Api, plan: RebuildPlan) -> bool:
    return await Positions(dynamodb, plan.application).read_processors() is None


async def _switch(plan: RebuildPlan, stores: Stores, region: str) -> Switch:
    store = plan.processor.store
    if store.dynamodb is not None:
        return await _table_switch(plan, store.dynamodb, stores, region)
    if store.postgresql is not None:
        identity = await Rebuilds(stores.aws.client("dynamodb", region), plan.application).read_target()
        table = store.postgresql.table
        return SqlSwitch(stores.postgresql(store.postgresql), plan, table, identity or "")
    index = index_target(plan.live.application, plan.processor)
    if index is None:
        raise SettingsError(f"processors.{plan.name}: its store is not known")
    return IndexSwitch(stores.opensearch(index.store), plan, index.store)


async def _table_switch(plan: RebuildPlan, table: DynamoDBTable, stores: Stores, region: str) -> TableSwitch:
    controls = Controls(stores.aws.client("dynamodb", region), plan.live.application)
    pointer = (await controls.read_pointers([plan.name])).get(plan.name)
    dynamodb = stores.aws.client("dynamodb", table.region or region)
    if pointer is None:
        ledger = plan.processor.ledger_name
        there = ledger is not None and await is_there(dynamodb, ledger)
        pointer = Pointer(table.table, ledger if there else None)
    ledger = plan.rebuilt.ledger_name if has_ledger(plan.rebuilt) else None
    return TableSwitch(dynamodb, plan, pointer, Pointer(plan.into, ledger))
