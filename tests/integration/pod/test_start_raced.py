"""A pod whose start and a cut-over's end fall together."""

import pytest

from checkpoint.positions import Positions
from consumer.errors import Unavailable
from consumer.pod import start
from consumer.pod.preflight import Inspection, inspect
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
