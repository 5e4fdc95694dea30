"""The index before the start: looked at, made by the settings, and named where it can't be used."""

import msgspec
import pytest

from consumer.errors import SettingsError, Unavailable
from consumer.pod.targets.checks import Findings
from consumer.pod.targets.indexes import IndexTarget, look_at_index, make_index
from consumer.settings.context import IndexFacts
from consumer.settings.model import Projection
from consumer.settings.stores import OpenSearchIndex, Store
from consumer.stores.opensearch.catalog import Catalog
from consumer.stores.opensearch.index import Document, Index
from consumer.stores.opensearch.layout import READERS_FILTER
from tests.integration.opensearch.world import Json, World, reach
from tests.support.servers.server import free_port

WHERE = "processors.orders.projection.store.opensearch"
TOTAL_FIELD: Json = {"total": {"type": "scaled_float", "scaling_factor": 100}}
TOTAL: Json = {"properties": TOTAL_FIELD}


def target(
    world: World,
    mappings: Json | None = None,
    settings: Json | None = None,
    *,
    owner: str = "shop/orders",
    adopt: bool = False,
    starts_here: bool = False,
) -> IndexTarget:
    store = OpenSearchIndex(url="http://there", index=world.alias, mappings=mappings, settings=settings)
    projection = Projection(
        store=Store(opensearch=store),
        key={"id": "keys.id"},
        fields={"total": "new.total"},
        adopt=adopt,
    )
    return IndexTarget(WHERE, owner, projection, store, starts_here)


async def look(world: World, what: IndexTarget) -> tuple[IndexFacts | None, Findings]:
    findings = Findings()
    return await look_at_index(what, world.catalog, findings), findings


async def problem(world: World, what: IndexTarget) -> str:
    """The one thing that is wrong."""
    facts, findings = await look(world, what)
    assert facts is None
    (told,) = findings.problems
    assert told.startswith(WHERE)
    return told


async def test_an_index_that_is_not_there_is_looked_at_without_being_made_and_made_at_the_start(
    bare: World,
) -> None:
    what = target(bare, {"dynamic": "strict", "properties": {"id": {"type": "keyword"}, **TOTAL_FIELD}})
    facts, findings = await look(bare, what)
    assert facts == IndexFacts(index=f"{bare.alias}-v1", alias=bare.alias)
    assert await bare.catalog.find(bare.alias) == {}
    await make_index(what, bare.catalog, facts)
    (found,) = (await bare.catalog.find(bare.alias)).values()
    assert found.aliases[bare.alias].filter == READERS_FILTER
    assert found.mappings["dynamic"] == "strict"
    await make_index(what, bare.catalog, facts)  # as the next pod does
    assert (await look(bare, what), findings.problems, findings.warnings) == ((facts, Findings()), [], [])


async def test_an_alias_is_followed_to_the_index_that_it_leads_to(bare: World) -> None:
    await make_index(target(bare), bare.catalog, IndexFacts(index=f"{bare.alias}-other", alias=bare.alias))
    facts, _ = await look(bare, target(bare))
    assert facts == IndexFacts(index=f"{bare.alias}-other", alias=bare.alias)


async def test_what_an_index_lacks_is_added_to_it_at_the_start(world: World) -> None:
    remove = {"index": world.index, "aliases": [world.alias, f"{world.index}-write"]}
    await world.ask("POST", "/_aliases", msgspec.json.encode({"actions": [{"remove": remove}]}))
    what = target(world, TOTAL, owner="tests/view")
    facts, findings = await look(world, what)
    assert facts is not None, findings.problems
    await make_index(what, world.catalog, facts)
    (found,) = (await world.catalog.find(world.alias)).values()
    assert set(found.aliases) == {world.alias, f"{world.index}-write"}
    assert "'total'" in str(found.mappings["properties"])


async def test_the_readers_alias_is_moved_in_one_step(world: World) -> None:
    other = f"{world.alias}-v2"
    await make_index(target(world), world.catalog, IndexFacts(index=other, alias=f"{world.alias}-new"))
    await world.catalog.point(world.alias, other)
    found = await world.catalog.find(world.alias)
    assert {name: found[name].aliases[world.alias].filter for name in found} == {other: READERS_FILTER}


async def test_another_type_than_the_settings_say_is_named_by_its_field(world: World) -> None:
    await make_index(target(world, TOTAL), world.catalog, IndexFacts(index=world.index, alias=world.alias))
    told = await problem(world, target(world, {"properties": {"total": {"type": "keyword"}}}))
    assert "`total` is of type scaled_float there, and keyword in the settings" in told
    assert "rebuild the read model" in told


async def test_a_difference_that_only_opensearch_knows_ends_the_start_with_its_reason(world: World) -> None:
    facts = IndexFacts(index=world.index, alias=world.alias)
    await make_index(target(world, TOTAL), world.catalog, facts)
    other = {"properties": {"total": {"type": "scaled_float", "scaling_factor": 10}}}
    with pytest.raises(SettingsError, match=r"Cannot update parameter \[scaling_factor\]"):
        await make_index(target(world, other), world.catalog, facts)


@pytest.mark.parametrize(
    ("mappings", "settings", "told"),
    [
        ({"_source": {"enabled": False}}, None, "mappings._source: documents are read back"),
        ({"_routing": {"required": True}}, None, "mappings._routing: documents are found by their ids"),
        ({"properties": {"_tidemark": {"type": "object"}}}, None, "the name is kept for Tidemark's own use"),
        (None, {"index": {"derived_source": {"enabled": True}}}, "settings: derived_source"),
        ({"dynamic": "strict", **TOTAL}, None, "`dynamic: strict`, and `id` is not there"),
    ],
)
async def test_what_no_read_model_can_have_is_named_before_anything_is_made(
    bare: World, mappings: Json | None, settings: Json | None, told: str
) -> None:
    assert told in await problem(bare, target(bare, mappings, settings))


async def test_mappings_that_opensearch_does_not_take_are_told_with_its_reason(bare: World) -> None:
    what = target(bare, {"properties": {"total": {"type": "money"}}})
    with pytest.raises(SettingsError, match=r"No handler for type \[money\]"):
        await make_index(what, bare.catalog, IndexFacts(index=f"{bare.alias}-v1", alias=bare.alias))


async def test_an_index_of_the_aliass_name_is_no_alias(bare: World) -> None:
    await bare.ask("PUT", f"/{bare.alias}")
    _, findings = await look(bare, target(bare))
    assert "is an index, and has to be an alias" in findings.problems[0]


async def test_an_index_that_tidemark_did_not_make_is_taken_only_by_adoption(bare: World) -> None:
    aliases = {bare.alias: {"filter": READERS_FILTER}}
    await bare.ask("PUT", f"/{bare.alias}-v1", msgspec.json.encode({"aliases": aliases}))
    assert "was not made by Tidemark" in await problem(bare, target(bare))
    facts, findings = await look(bare, target(bare, adopt=True))
    assert (facts is not None, findings.problems) == (True, [])


async def test_an_alias_without_the_filter_is_not_used(bare: World) -> None:
    await bare.ask("PUT", f"/{bare.alias}-v1", msgspec.json.encode({"aliases": {bare.alias: {}}}))
    assert "lacks the filter that keeps tombstones" in await problem(bare, target(bare, adopt=True))


async def test_an_alias_of_two_indexes_is_not_used(world: World) -> None:
    other = msgspec.json.encode({"aliases": {world.alias: {"filter": READERS_FILTER}}})
    await world.ask("PUT", f"/{world.alias}-v2", other)
    told = await problem(world, target(world, owner="tests/view", adopt=True))
    assert f"leads to 2 indexes ({world.alias}-v1, {world.alias}-v2)" in told


async def test_an_index_that_was_made_for_another_is_refused_unless_it_is_to_be_taken_over(
    world: World,
) -> None:
    assert "was made for tests/view, and two processors that" in await problem(world, target(world))
    facts, findings = await look(world, target(world, adopt=True))
    assert (facts is not None, findings.problems) == (True, [])
    facts, findings = await look(world, target(world, starts_here=True))
    assert (facts is not None, findings.problems) == (True, [])


async def test_an_index_that_is_gone_is_not_made_anew_where_changes_were_settled_into_it(bare: World) -> None:
    facts = IndexFacts(index=bare.index, alias=bare.alias)
    with pytest.raises(SettingsError, match="the application has run"):
        await make_index(target(bare), bare.catalog, facts, has_run=True)
    assert await bare.catalog.find(bare.alias) == {}
    await make_index(target(bare, starts_here=True), bare.catalog, facts, has_run=True)
    assert list(await bare.catalog.find(bare.alias)) == [bare.index]


async def test_a_cluster_that_is_not_there_is_no_mistake_in_the_settings(bare: World) -> None:
    async with reach(f"http://127.0.0.1:{free_port(5_000, 9_200)}") as nowhere:
        with pytest.raises(Unavailable, match="does not answer"):
            await look_at_index(target(bare), Catalog(nowhere), Findings())


async def test_an_index_that_goes_is_never_made_by_a_write(world: World) -> None:
    await world.ask("DELETE", f"/{world.index}")
    (ended,) = await Index(world.cluster, world.index).write([Document("a", 1, b"{}")])
    assert isinstance(ended, Unavailable)
    assert (ended.code, "the index is gone" in str(ended)) == ("index_not_found_exception", True)
    assert (await world.cluster.call("GET", f"/{world.index}*")).body == {}
