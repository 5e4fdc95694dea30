"""A pod whose start and a cut-over's end fall together."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from checkpoint.control import NEVER, Control, Controls
from checkpoint.positions import Positions
from consumer.errors import Unavailable
from consumer.log import open_log
from consumer.pod import start
from consumer.pod.housekeeping import renew_when_cut_over
from consumer.pod.ops import Pod
from consumer.pod.preflight import Inspection, inspect
from consumer.pod.supervisor import Supervisor
from consumer.processors.base import fingerprint
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.pod.conftest import REGION, Shop
from tests.integration.pod.test_models import cut_over
from tests.integration.pod.test_start import Starter


async def test_a_start_does_not_put_back_the_settings_that_a_cut_over_replaced_meanwhile(
    shop: Shop, stores: Stores, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else pods with the new settings would keep it at rest for good, and those with the old would write."""
    shop.make_all()
    shop.make_table(f"{shop.prefix}-other")
    starter, both = Starter(sandbox, stores), shop.settings("view", "other")
    await starter.prepare(both)
    await starter.checkpoint(shop.prefix)
    changed = both.processors[0].model_dump(exclude_unset=True)
    changed["projection"]["fields"] = {"total": "new.total"}
    new = shop.settings(processors=[changed])

    async def late(settings: Settings, stores: Stores, region: str) -> Inspection:
        inspection = await inspect(settings, stores, region)
        await cut_over(stores, new, f"{shop.view}-rebuild")
        return inspection

    shop.make_table(f"{shop.view}-rebuild")
    with monkeypatch.context() as patched:
        patched.setattr(start, "inspect", late)
        with pytest.raises(Unavailable, match="changed its processors just now"):
            await starter.prepare(shop.settings("view"))  # without `other`

    known = await Positions(stores.aws.client("dynamodb", REGION), shop.prefix).read_processors()
    assert (known or {})["view"] == fingerprint(new.processors[0])
    assert (await starter.prepare(new)).halted == {}
    assert list((await starter.prepare(shop.settings("view"))).halted) == ["view"]


SWAPPING = Control(phase="swapping", token="t", into="rebuilt", application="a", fingerprint="f")  # noqa: S106 - no secret


async def swapping(shop: Shop, stores: Stores, starter: Starter) -> Controls:
    """An application whose `view` was being swapped when its cut-over died."""
    shop.make_all()
    shop.make_table(f"{shop.prefix}-other")
    await starter.prepare(shop.settings("view", "other"))
    await starter.checkpoint(shop.prefix)
    controls = Controls(stores.aws.client("dynamodb", REGION), shop.prefix)
    assert await controls.change("view", NEVER, SWAPPING)
    return controls


async def test_a_pod_that_starts_between_a_swap_and_its_end_goes_on_with_the_other_processors(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    """What stands at the target by then is by settings that may not be this pod's."""
    starter = Starter(sandbox, stores)
    await swapping(shop, stores, starter)
    shop.aws.dynamodb.delete_table(TableName=shop.view)

    context = await starter.prepare(shop.settings("view", "other"))

    assert list(context.targets) == ["other"]
    assert "should that have died, run it again" in context.halted["view"]


@pytest.mark.parametrize("is_finished", [True, False])
async def test_such_a_pod_starts_its_daemon_anew_once_it_is_known_how_the_swap_ended_and_not_before(
    shop: Shop,
    stores: Stores,
    sandbox: SandboxProcess,
    tmp_path: Path,
    is_finished: bool,  # noqa: FBT001 - a case of the table
) -> None:
    starter = Starter(sandbox, stores)
    controls = await swapping(shop, stores, starter)
    context, log = await starter.prepare(shop.settings("view", "other")), open_log(io.BytesIO())
    supervisor = Supervisor(tmp_path, grace_seconds=1.0, log=log)
    pod = Pod(shop.prefix, "pod-0", "0", tmp_path, supervisor, started_at=0.0)
    look = renew_when_cut_over(pod, controls, context, log)

    await look()
    assert not supervisor.is_to_go_on()
    if is_finished:
        assert await controls.finish("view", SWAPPING, at=1, pointer=None)
    else:
        assert await controls.change("view", SWAPPING, replace(SWAPPING, phase="live"))
    await look()
    assert supervisor.is_to_go_on()
    assert ("view" in (await starter.prepare(shop.settings("view", "other"))).halted) is is_finished
