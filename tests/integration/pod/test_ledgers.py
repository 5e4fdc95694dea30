"""A DynamoDB ledger says whose it is, and of which rows its entries tell; whoever else comes is refused."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from checkpoint.api import Answer, Api
from checkpoint.control import NEVER, Control, Controls, Pointer
from consumer.errors import SettingsError, Unavailable
from consumer.pod.preflight import inspect
from consumer.pod.targets.dynamodb import make_ledger
from consumer.pod.targets.ledgers import NO_PAST, OWNER_KEY, Ledger, Owner, Past, refusal
from consumer.processors.base import fingerprint
from consumer.processors.ledger.entry import entry_key
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from sandbox.process import SandboxProcess
from tests.integration.pod.conftest import REGION, Shop
from tests.integration.pod.test_preflight import denying
from tests.integration.pod.test_start import Starter

OURS = Owner("shop", "view", "projection", "f", "view", ("id",))


class Ledgered:
    """An application whose one projection has a ledger."""

    def __init__(self, shop: Shop, starter: Starter) -> None:
        self.shop = shop
        self.starter = starter
        shop.make_all()

    @property
    def ledger(self) -> str:
        return f"{self.shop.prefix}-ledger"

    def settings(self, *, table: str | None = None, application: str | None = None, **more: Any) -> Settings:  # noqa: ANN401 - what a YAML file may hold
        store = {"dynamodb": {"table": table or self.shop.view, "ledger": self.ledger}}
        start_here = more.pop("start_here", False)
        projection = {"store": store, "key": {"id": "keys.id"}, **more}
        return self.shop.settings(
            application=application or self.shop.prefix,
            processors=[{"name": "view", "projection": projection, "start_here": start_here}],
        )

    async def start(self, settings: Settings) -> None:
        """The start, after which the application has run."""
        await self.starter.prepare(settings)
        await self.starter.checkpoint(settings.application)

    async def problems(self, settings: Settings) -> str:
        """What `validate --aws` says; nothing, where nothing is wrong."""
        try:
            await inspect(settings, self.starter.stores, REGION)
        except SettingsError as error:
            return str(error)
        return ""

    def fill(self) -> None:
        """An entry, as the first change leaves it."""
        self.shop.aws.dynamodb.put_item(TableName=self.ledger, Item={"item": {"S": "a"}, "holds": {"M": {}}})

    def owner(self) -> Mapping[str, Any] | None:
        answer = self.shop.aws.dynamodb.get_item(TableName=self.ledger, Key={"item": {"S": OWNER_KEY}})
        item = answer.get("Item")
        return None if item is None else item["owner"]["M"]

    def forget_owner(self) -> None:
        """As a ledger of an earlier version is."""
        self.shop.aws.dynamodb.delete_item(TableName=self.ledger, Key={"item": {"S": OWNER_KEY}})


@pytest.fixture
def ledgered(shop: Shop, sandbox: SandboxProcess, stores: Stores) -> Ledgered:
    return Ledgered(shop, Starter(sandbox, stores))


def test_no_item_can_have_the_owners_key() -> None:
    assert entry_key(OWNER_KEY) != OWNER_KEY
    assert len(OWNER_KEY.encode()) <= 2_048, "a partition key's most"


async def test_a_ledger_says_whose_it_is_from_the_first_start_on(ledgered: Ledgered) -> None:
    await ledgered.start(ledgered.settings())
    owner = ledgered.owner()
    assert owner is not None
    assert owner["table"] == {"S": ledgered.shop.view}
    assert owner["key"] == {"L": [{"S": "id"}]}
    ledgered.fill()
    await ledgered.start(ledgered.settings())
    assert ledgered.owner() == owner


async def test_a_ledger_of_another_tables_rows_is_refused_whatever_is_enough(ledgered: Ledgered) -> None:
    await ledgered.start(ledgered.settings())
    other = f"{ledgered.shop.prefix}-other"
    ledgered.shop.make_table(other)
    moved = ledgered.settings(table=other, start_here=True)
    assert await ledgered.problems(moved) == "", "there is nothing in it yet"
    ledgered.fill()
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"entries tell of rows in table '.*-view' by id, and not of"):
            await ledgered.starter.prepare(moved)
    assert "run `tidemark rebuild --processor view`" in await ledgered.problems(moved)
    assert await ledgered.problems(ledgered.settings()) == ""


async def test_a_ledger_of_another_application_is_refused(ledgered: Ledgered) -> None:
    await ledgered.start(ledgered.settings())
    ledgered.fill()
    anew = ledgered.settings(application=f"{ledgered.shop.prefix}-2", start_here=True)
    with pytest.raises(SettingsError, match=r"belongs to processor 'view' of application"):
        await ledgered.starter.prepare(anew)


async def test_a_ledger_of_other_settings_is_refused_unless_changes_from_here_on_are_enough(
    ledgered: Ledgered,
) -> None:
    await ledgered.start(ledgered.settings())
    ledgered.fill()
    before = ledgered.owner()
    fields = {"total": "new.total"}
    problem = await ledgered.problems(ledgered.settings(fields=fields))
    assert "filled by other settings" in problem
    assert "run `tidemark rebuild --processor view` with these settings" in problem
    here = ledgered.settings(fields=fields, start_here=True)
    assert await ledgered.problems(here) == ""
    await ledgered.start(here)
    assert ledgered.owner() != before
    await ledgered.start(ledgered.settings(fields=fields))


async def test_a_ledger_of_an_earlier_version_is_taken_where_the_application_vouches_for_it(
    ledgered: Ledgered,
) -> None:
    await ledgered.start(ledgered.settings())
    ledgered.fill()
    ledgered.forget_owner()
    for doubtful in (
        ledgered.settings(start_here=True),
        ledgered.settings(application=f"{ledgered.shop.prefix}-2"),
    ):
        assert "does not say whose" in await ledgered.problems(doubtful)
    await ledgered.start(ledgered.settings())
    assert ledgered.owner() is not None


async def test_a_rebuilds_ledger_is_the_live_processors_after_the_cut_over(ledgered: Ledgered) -> None:
    shop, settings = ledgered.shop, ledgered.settings()
    await ledgered.start(settings)
    ledgered.fill()
    into, ledger = f"{shop.view}-rebuild", f"{shop.view}-rebuild-ledger"
    shop.make_table(into)
    dynamodb = ledgered.starter.stores.aws.client("dynamodb", REGION)
    await make_ledger(dynamodb, ledger)
    rebuilds = Owner(f"{shop.prefix}-rebuilt", "view", "projection", "f", into, ("id",))
    await Ledger(dynamodb, ledger).keep(rebuilds, NO_PAST, starts_here=False)
    shop.aws.dynamodb.put_item(TableName=ledger, Item={"item": {"S": "a"}, "holds": {"M": {}}})
    controls = Controls(dynamodb, shop.prefix)
    stop = replace(
        Control(phase="stop", token="t", into=into, application=rebuilds.application),  # noqa: S106 - no secret
        fingerprint=fingerprint(settings.processors[0]),
    )
    assert await controls.change("view", NEVER, stop)
    assert await controls.finish("view", stop, at=1, pointer=Pointer(into, ledger))

    assert await ledgered.problems(settings) == ""
    await ledgered.start(settings)
    await ledgered.start(settings)

    kept = await Ledger(dynamodb, ledger).problem(rebuilds, NO_PAST, starts_here=False)
    assert f"belongs to processor 'view' of application '{shop.prefix}'" in str(kept)


async def test_pods_that_start_together_both_go_on(ledgered: Ledgered) -> None:
    await asyncio.gather(*(ledgered.starter.prepare(ledgered.settings()) for _ in range(4)))
    assert ledgered.owner() is not None


@pytest.mark.parametrize("operation", ["BatchGetItem", "Scan"])
async def test_who_may_not_look_whose_a_ledger_is_is_told_what_to_allow(
    ledgered: Ledgered, operation: str
) -> None:
    await ledgered.start(ledgered.settings())
    ledgered.fill()
    ledgered.forget_owner()
    with pytest.raises(SettingsError, match=f"look whose it is; allow dynamodb:{operation} on it"):
        await inspect(ledgered.settings(), denying(ledgered.starter.stores, operation), REGION)


async def test_a_ledger_that_says_whose_it_is_is_not_scanned(ledgered: Ledgered) -> None:
    await ledgered.start(ledgered.settings())
    await inspect(ledgered.settings(), denying(ledgered.starter.stores, "Scan"), REGION)


async def test_of_two_that_begin_with_one_ledger_one_is_told_to_look_again(ledgered: Ledgered) -> None:
    dynamodb = ledgered.starter.stores.aws.client("dynamodb", REGION)
    await make_ledger(dynamodb, ledgered.ledger)
    other = replace(OURS, processor="other")
    late = Ledger(Late(dynamodb, Ledger(dynamodb, ledgered.ledger), other), ledgered.ledger)

    with pytest.raises(Unavailable, match="another pod has just begun"):
        await late.keep(OURS, NO_PAST, starts_here=False)

    owner = ledgered.owner()
    assert owner is not None
    assert owner["processor"] == {"S": "other"}


class Late:
    """A DynamoDB where somebody else begins before the first PutItem."""

    def __init__(self, real: Api, ledger: Ledger, other: Owner) -> None:
        self._real = real
        self._ledger = ledger
        self._other = other

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "PutItem":
            await self._ledger.keep(self._other, NO_PAST, starts_here=False)
        return await self._real.call(operation, request, expect=expect)


@pytest.mark.parametrize(
    "other", [{"processor": "lines"}, {"application": "other"}], ids=["another processor", "application"]
)
async def test_who_has_begun_with_a_ledger_keeps_it_before_anything_is_written(
    ledgered: Ledgered, other: Mapping[str, Any]
) -> None:
    dynamodb = ledgered.starter.stores.aws.client("dynamodb", REGION)
    await make_ledger(dynamodb, ledgered.ledger)
    ledger = Ledger(dynamodb, ledgered.ledger)
    first = replace(OURS, table="lines", **other)
    await ledger.keep(first, NO_PAST, starts_here=False)
    before = ledgered.owner()

    for starts_here in (False, True):
        with pytest.raises(SettingsError, match=f"{first.processor!r} of application {first.application!r}"):
            await ledger.keep(OURS, NO_PAST, starts_here=starts_here)

    assert ledgered.owner() == before


@pytest.mark.parametrize(
    "other",
    [{"key": ("b", "a")}, {"kind": "aggregate"}, {"table": "view-2"}],
    ids=["another key order", "sums", "another table"],
)
def test_entries_of_other_rows_are_of_no_use_to_anybody(other: Mapping[str, Any]) -> None:
    ours = replace(OURS, key=("a", "b"))
    for starts_here in (False, True):
        reason = refusal(replace(ours, **other), ours, Past(frozenset({"view"})), starts_here=starts_here)
        assert "`tidemark rebuild --processor view`" in str(reason)
