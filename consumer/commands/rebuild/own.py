"""Whether a target is empty or this rebuild's own: whatever else stands there would stay."""

from collections.abc import Awaitable, Callable

from checkpoint.rebuilds import Rebuilds
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.errors import SettingsError


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
