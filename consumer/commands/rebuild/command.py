"""`tidemark rebuild`: from the settings to the end of the rebuild's pod."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from checkpoint.control import NEVER, Controls
from checkpoint.positions import Positions
from checkpoint.rebuilds import Rebuilds
from checkpoint.tables import TableNotReadyError
from consumer.aws.boto import default_region, endpoint_url
from consumer.commands.rebuild.follow import Follower
from consumer.commands.rebuild.indexes import make_new_index
from consumer.commands.rebuild.plan import RebuildPlan, plan_rebuild
from consumer.commands.rebuild.screen import open_screen
from consumer.commands.rebuild.sql import make_sql_table
from consumer.commands.rebuild.tables import make_table
from consumer.commands.run import run
from consumer.errors import SettingsError, Unavailable
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.indexes import index_target
from consumer.pod.targets.postgresql import sql_target
from consumer.pod.targets.tables import look_at_table
from consumer.settings.context import TableFacts
from consumer.settings.load import locate_settings
from consumer.settings.model import Settings
from consumer.settings.moved import target_name
from consumer.stores.opened import Stores, open_stores

_OPS_HOST = "127.0.0.1"
_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """The command line's."""

    config: Path
    processor: str
    into: str | None
    backfills: bool
    worker_id: str
    ops_port: int
    run_dir: Path | None


async def rebuild(options: Options, console: Console, tell: Callable[[str], None]) -> int:
    """Build the model anew, and follow the stream until it is cut over or somebody says stop.

    Returns:
        The exit code: 0 where it was cut over or stopped in order, else 1.

    Raises:
        SettingsError: something a person has to put right first.
    """
    located = locate_settings(options.config)
    with located.telling():
        return await _rebuilt(located.settings, options, console, tell)


async def _rebuilt(
    settings: Settings, options: Options, console: Console, tell: Callable[[str], None]
) -> int:
    region = default_region()
    async with open_stores(endpoint_url) as stores:
        plan = await _begun(settings, options, stores, region, tell)
    tell(f"{plan.name} is built anew into {plan.into}, by application {plan.application}")
    with open_screen(console, f"rebuild {plan.name}") as screen:
        follower = Follower(plan, screen, backfills=options.backfills)
        code = await run(
            plan.settings,
            options.worker_id,
            _OPS_HOST,
            options.ops_port,
            options.run_dir,
            beside=follower.beside,
        )
    result = follower.result
    if result.rejected:
        tell(f"{result.rejected:,} items of the source could not be put into the model, the first of them:")
        for line in result.first_rejected:
            tell(f"  {line}")
    if result.why_not is not None:
        tell(result.why_not)
    elif result.is_cut_over:
        tell(f"{plan.name} was cut over, and {plan.outcome}")
    else:
        tell("stopped; the same command goes on from here")
    return 1 if result.rejected or result.why_not else code


async def _begun(
    settings: Settings, options: Options, stores: Stores, region: str, tell: Callable[[str], None]
) -> RebuildPlan:
    """The rebuild, with its target; waits while AWS or a store can't be asked, as a pod does."""
    while True:
        try:
            plan = await planned(settings, options.processor, options.into, stores, region)
            await _make_target(plan, stores, region)
        except (Unavailable, TableNotReadyError) as error:
            tell(f"can't begin yet, and trying again: {error}")
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return plan


async def planned(
    settings: Settings, name: str, into: str | None, stores: Stores, region: str
) -> RebuildPlan:
    """The rebuild that the live application's control row asks for.

    Raises:
        SettingsError: there is nothing to build anew.
    """
    dynamodb = stores.aws.client("dynamodb", region)
    control = (await Controls(dynamodb, settings.application).read()).get(name, NEVER)
    plan = plan_rebuild(settings, name, into, control.generation)
    known = await Positions(dynamodb, settings.application).read_processors()
    if name not in (known or {}):
        raise SettingsError(
            f"--processor {name}: application {settings.application!r} has not run with it, so that there is"
            " no model to build anew; `tidemark run` builds its first one"
        )
    return plan


async def _make_target(plan: RebuildPlan, stores: Stores, region: str) -> None:
    dynamodb = stores.aws.client("dynamodb", region)
    positions = Positions(dynamodb, plan.application)
    await positions.create()
    rebuilds = Rebuilds(dynamodb, plan.application)
    store = plan.processor.store
    if store.dynamodb is not None:
        live = await live_table(plan, stores, region)
        home = stores.aws.client("dynamodb", store.dynamodb.region or region)
        await make_table(home, plan, live, rebuilds)
    elif store.postgresql is not None:
        target = sql_target(plan.application, plan.rebuilt, await _source(plan, stores, region))
        if target is not None:
            database = stores.postgresql(store.postgresql)
            await make_sql_table(database, plan, store.postgresql, target, rebuilds)
    else:
        index = index_target(plan.application, plan.rebuilt)
        if index is not None:
            await make_new_index(stores.opensearch(index.store), plan, index, rebuilds)


async def _source(plan: RebuildPlan, stores: Stores, region: str) -> TableFacts:
    findings, name = Findings(), plan.live.source.kinesis.table
    dynamodb = stores.aws.client("dynamodb", region)
    found = await look_at_table(dynamodb, name, region, "source.kinesis.table", findings)
    if found is None:
        raise SettingsError("\n".join(findings.problems))
    return found


async def live_table(plan: RebuildPlan, stores: Stores, region: str) -> str:
    """The DynamoDB table that the live processor writes to now."""
    controls = Controls(stores.aws.client("dynamodb", region), plan.live.application)
    pointer = (await controls.read_pointers([plan.name])).get(plan.name)
    name = target_name(plan.processor) if pointer is None else pointer.table
    if name == plan.into:
        raise SettingsError(f"--into {plan.into}: that is where {plan.name} writes now; name another")
    return name
