"""What a cut-over compares before it begins: readers are to miss nothing."""

import pytest

from checkpoint.api import Api
from checkpoint.control import NEVER, Pointer
from checkpoint.rebuilds import Backfill, Rebuilds
from consumer.commands.cutover.run import RefusedError
from consumer.commands.cutover.tables import TableSwitch
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.pod.targets.dynamodb import make_ledger
from consumer.pod.targets.ledgers import NO_PAST, Ledger, Owner
from tests.integration.pod.conftest import Shop
from tests.integration.rebuild.test_cutover import Both, both_at, control_of, no_pause, run


def put_rows(shop: Shop, table: str, *items: str, digest: str = "d") -> None:
    for item in items:
        mark = {"M": {"v": {"N": "1"}, "p": {"S": "us"}, "d": {"S": digest}}}
        shop.aws.dynamodb.put_item(TableName=table, Item={"id": {"S": item}, "_tidemark": mark})


async def test_rows_that_the_new_model_does_not_know_refuse_it(
    both: Both, dynamodb: Api, plan: RebuildPlan, shop: Shop
) -> None:
    await both_at(both, 5)
    put_rows(shop, shop.view, "kept", "lost")
    put_rows(shop, plan.into, "kept")

    with pytest.raises(RefusedError, match=r"id lost\nRun the rebuild with --backfill"):
        await run(dynamodb, plan)
    assert await control_of(dynamodb, plan) == NEVER

    await run(dynamodb, plan, allows=True)
    assert (await control_of(dynamodb, plan)).generation == 1


async def test_what_the_new_model_knows_to_be_deleted_is_not_missing_nor_is_a_tombstone_of_the_old(
    both: Both, dynamodb: Api, plan: RebuildPlan, shop: Shop
) -> None:
    await both_at(both, 5)
    put_rows(shop, shop.view, "deleted-since")
    put_rows(shop, plan.into, "deleted-since", digest="-")
    put_rows(shop, shop.view, "deleted-long-ago", digest="-")

    await run(dynamodb, plan)

    assert (await control_of(dynamodb, plan)).generation == 1


async def test_of_ledgers_the_entries_are_compared_that_hold_something_and_not_whose_they_are(
    dynamodb: Api, plan: RebuildPlan, shop: Shop
) -> None:
    ledgers = [f"{shop.prefix}-{name}-ledger" for name in ("old", "new")]
    for ledger in ledgers:
        await make_ledger(dynamodb, ledger)
    owner = Owner(shop.prefix, "view", "projection", "f", shop.view, ("id",))
    await Ledger(dynamodb, ledgers[0]).keep(owner, NO_PAST, starts_here=False)
    for item, holds in (("kept", {"k": {"S": "d"}}), ("gone", {})):
        shop.aws.dynamodb.put_item(
            TableName=ledgers[0], Item={"item": {"S": item}, "holds": {"M": dict(holds)}}
        )
    old, new = (Pointer(shop.view, ledger) for ledger in ledgers)
    assert await TableSwitch(dynamodb, plan, old, new, no_pause).missing(lambda _: None) == ["item kept"]


@pytest.mark.parametrize(
    ("backfill", "refusal"),
    [
        (Backfill(began_at=1), "is not done"),
        (Backfill(began_at=1, is_done=True, rejected=3), "3 items of the source"),
        (Backfill(began_at=1, is_done=True), None),
    ],
)
async def test_a_backfill_that_ran_to_its_end_stands_for_the_comparison(
    both: Both, dynamodb: Api, plan: RebuildPlan, shop: Shop, backfill: Backfill, refusal: str | None
) -> None:
    await both_at(both, 5)
    put_rows(shop, shop.view, "of-nobody-knows-when")
    await Rebuilds(dynamodb, plan.application).write_backfill(backfill)

    if refusal is None:
        await run(dynamodb, plan)
    else:
        with pytest.raises(RefusedError, match=refusal):
            await run(dynamodb, plan)
