"""After a cut-over, a pod writes to the new model, or to none where its settings did not make it."""

from dataclasses import replace

import pytest

from checkpoint.control import NEVER, Control, Controls, Pointer
from checkpoint.positions import Positions
from consumer.errors import SettingsError
from consumer.processors.base import fingerprint
from consumer.settings.context import ShardContext, TableFacts
from consumer.settings.model import Settings
from consumer.shard.bookkeeping import fingerprints_of
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.pod.conftest import REGION, Shop
from tests.integration.pod.test_start import Starter


def target_of(context: ShardContext, name: str) -> str:
    target = context.targets[name]
    assert isinstance(target, TableFacts)
    return target.name


async def cut_over(stores: Stores, settings: Settings, into: str, *, tells_earlier: bool = True) -> None:
    """The first processor, to a table that these settings made."""
    processor, dynamodb = settings.processors[0], stores.aws.client("dynamodb", REGION)
    controls, made_by = Controls(dynamodb, settings.application), fingerprint(processor)
    was = (await controls.read()).get(processor.name, NEVER)
    known = await Positions(dynamodb, settings.application).read_processors()
    assert known is not None
    earlier = was.succeeding(known[processor.name], made_by) if tells_earlier else None
    stop = replace(was, phase="stop", into=into, application="a", fingerprint=made_by, earlier=earlier)
    assert await controls.change(processor.name, was, stop)
    assert await controls.finish(processor.name, stop, at=1, pointer=Pointer(into, None))


async def test_a_pod_writes_where_its_processor_was_cut_over_to(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    shop.make_all()
    shop.make_table(f"{shop.view}-rebuild")
    starter, settings = Starter(sandbox, stores), shop.settings()
    before = await starter.prepare(settings)
    await starter.checkpoint(shop.prefix)

    await cut_over(stores, settings, f"{shop.view}-rebuild")
    after = await starter.prepare(settings)

    assert (target_of(before, "view"), target_of(after, "view")) == (shop.view, f"{shop.view}-rebuild")
    assert (before.generation_of("view"), after.generation_of("view")) == (0, 1)
    assert fingerprints_of(before) != fingerprints_of(after), "a place on the old model says nothing"
    assert after.halted == {}


async def test_a_pod_of_other_settings_keeps_the_processor_at_rest_and_the_others_going(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    shop.make_all()
    shop.make_table(f"{shop.prefix}-other")
    starter, old = Starter(sandbox, stores), shop.settings("view", "other")
    await starter.prepare(old)
    await starter.checkpoint(shop.prefix)
    new = of_fields(shop, "total")

    await cut_over(stores, new, f"{shop.view}-nobody-looks-at-it")
    context = await starter.prepare(old)

    assert list(context.targets) == ["other"]
    assert list(context.halted) == ["view"]
    assert b"settings the rebuild was made with" in starter.logged.getvalue()
    shop.make_table(f"{shop.view}-nobody-looks-at-it")
    assert (await starter.prepare(new)).halted == {}, "what a halted pod knows is not written down"


def of_fields(shop: Shop, name: str, **more: bool) -> Settings:
    """Both processors, the first with one field."""
    view = shop.processor("view")
    assert isinstance(view["projection"], dict)
    changed = {**view, "projection": {**view["projection"], "fields": {name: f"new.{name}"}}, **more}
    return shop.settings(processors=[changed, shop.processor("other")])


async def run_with_both(shop: Shop, starter: Starter) -> Settings:
    """An application that has run; gives its settings."""
    shop.make_all()
    for table in ("other", "view-2", "view-3"):
        shop.make_table(f"{shop.prefix}-{table}")
    settings = shop.settings("view", "other")
    await starter.prepare(settings)
    await starter.checkpoint(shop.prefix)
    return settings


async def test_settings_that_made_no_model_are_refused_after_a_cut_over_as_before_one(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    starter = Starter(sandbox, stores)
    await run_with_both(shop, starter)
    refused = r"has changed settings.*Run `tidemark rebuild --processor view`"
    for into, field in (("view-2", "total"), ("view-3", "net")):
        with pytest.raises(SettingsError, match=refused):
            await starter.prepare(of_fields(shop, "tax"))
        await cut_over(stores, of_fields(shop, field), f"{shop.prefix}-{into}")
    with pytest.raises(SettingsError, match=refused):
        await starter.prepare(of_fields(shop, "tax"))
    here = await starter.prepare(of_fields(shop, "tax", start_here=True))
    assert (here.halted, target_of(here, "view")) == ({}, f"{shop.prefix}-view-3")


async def test_a_pod_of_any_earlier_settings_rests_however_often_was_cut_over_since(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    starter = Starter(sandbox, stores)
    first = await run_with_both(shop, starter)
    second, third = of_fields(shop, "total"), of_fields(shop, "tax")
    await cut_over(stores, second, f"{shop.prefix}-view-2")
    await cut_over(stores, third, f"{shop.prefix}-view-3")
    for late in (first, second):
        assert list((await starter.prepare(late)).halted) == ["view"]
    assert (await starter.prepare(third)).halted == {}


async def test_a_pod_of_other_settings_rests_where_nobody_knows_what_was_before_the_cut_over(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    starter = Starter(sandbox, stores)
    await run_with_both(shop, starter)
    await cut_over(stores, of_fields(shop, "total"), f"{shop.prefix}-view-2", tells_earlier=False)
    assert list((await starter.prepare(of_fields(shop, "tax"))).halted) == ["view"]


async def test_a_stop_that_was_taken_back_changes_nothing(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    shop.make_all()
    starter, settings = Starter(sandbox, stores), shop.settings()
    before = await starter.prepare(settings)
    controls = Controls(stores.aws.client("dynamodb", REGION), shop.prefix)
    stop = Control(phase="stop", token="t", into="x", application="a", fingerprint="f")  # noqa: S106 - no secret
    await controls.change("view", NEVER, stop)
    await controls.change("view", stop, replace(stop, phase="live"))

    after = await starter.prepare(settings)

    assert (after.generations, after.halted) == ({}, {})
    assert fingerprints_of(before) == fingerprints_of(after)


async def test_a_new_processor_does_not_write_where_an_earlier_one_of_its_name_was_cut_over_to(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    shop.make_all()
    for table in ("other", "view-rebuild", "view2"):
        shop.make_table(f"{shop.prefix}-{table}")
    starter, settings = Starter(sandbox, stores), shop.settings("view", "other")
    await starter.prepare(settings)
    await starter.checkpoint(shop.prefix)
    await cut_over(stores, settings, f"{shop.view}-rebuild")
    await starter.prepare(shop.settings("other"))
    elsewhere = {**shop.processor("view2"), "name": "view", "start_here": True}
    again = shop.settings(processors=[elsewhere, shop.processor("other")])

    with pytest.raises(SettingsError, match=r"was cut over to table '.*view-rebuild'.*delete the row"):
        await starter.prepare(again)

    shop.aws.dynamodb.delete_item(TableName=f"{shop.prefix}-positions", Key={"key": {"S": "table/view"}})
    assert target_of(await starter.prepare(again), "view") == f"{shop.prefix}-view2"
