"""Whether a target is empty or this rebuild's own: whatever else stands there would stay."""

from collections.abc import Awaitable, Callable, Iterable

from checkpoint.rebuilds import Rebuilds
from consumer.attributes import RESERVED
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.errors import SettingsError


def see_that_nobody_shares(plan: RebuildPlan, live: str, names: Iterable[str]) -> None:
    """A table's sums can stand beside what others keep in its rows, which a new table would lack.

    Args:
        plan: the rebuild.
        live: the live table.
        names: of what stands in its rows.

    Raises:
        SettingsError: something there is not the processor's.
    """
    aggregate = plan.processor.aggregate
    if aggregate is None:
        return
    foreign = sorted(set(names) - aggregate.group_by.keys() - aggregate.add.keys() - {RESERVED})
    if foreign:
        held = ", ".join(f"`{name}`" for name in foreign)
        raise SettingsError(
            f"processors.{plan.name}: rows of {live!r} hold {held}, which this aggregate does not keep, and"
            f" readers would miss in a new table. Where they need not be there, create {plan.into!r}"
            " yourself, and start again"
        )


async def see_that_it_is_own(
    plan: RebuildPlan, rebuilds: Rebuilds, identity: str, is_empty: Callable[[], Awaitable[bool]]
) -> None:
    """Keep what is built, before anything is written there.

    Args:
        plan: the rebuild.
        rebuilds: its own rows.
        identity: what tells the target from another one of its name.
        is_empty: whether it has any rows.

    Raises:
        SettingsError: it is another's.
        Unavailable: it can't be told now.
    """
    began_on = await rebuilds.read_target()
    if began_on is None and not await is_empty():
        began_on = await rebuilds.read_target()  # another machine may have begun just now
        if began_on is None:
            raise SettingsError(
                f"--into {plan.into}: what stands there is not empty, and this rebuild has not begun there:"
                " whatever is missing or too much in it would stay; delete it, or name another"
            )
    if began_on is not None and began_on != identity:
        raise SettingsError(
            f"--into {plan.into}: it is another one than this rebuild has begun on, and what it has settled"
            f" would be missing; delete the tables whose names begin with {plan.application!r} from DynamoDB,"
            " to begin anew, or name another"
        )
    await rebuilds.write_target(identity)
