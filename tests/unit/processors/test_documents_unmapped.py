"""An item of which an image could not be mapped: no image tells any more what documents it had before."""

from collections.abc import Mapping

import pytest

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, STALE
from consumer.processors.gated import GatedProcessor
from consumer.processors.projection import opensearch
from consumer.processors.projection.mapping import Desired
from consumer.record import ChangeRecord
from tests.unit.processors.documents_bench import LETTERS, MOVING, World, bring, change

DATED: Mapping[str, object] = {**MOVING, "fields": {"v": "new.v", "date": "iso_date(new.v)"}}
INSIDE: Mapping[str, object] = {**MOVING, "when": "iso_date(new.v)"}
EVENTFUL: Mapping[str, object] = {
    **MOVING,
    "fields": {"v": "new.v", "date": "concat(event.name, iso_date(new.v))"},
}
LOOKING_BACK: Mapping[str, object] = {
    **MOVING,
    "fields": {"v": "new.v", "date": "concat(old.v, iso_date(new.v))"},
}

unmappable = pytest.mark.parametrize(
    ("settings", "good", "bad", "better"),
    [
        pytest.param(MOVING, "a", "", "b", id="its key was null"),
        pytest.param(LETTERS, "ab", "cc", "bd", id="two elements had one key"),
        pytest.param(DATED, "2026-01-01", "soon", "2026-01-02", id="a field could not be computed"),
        pytest.param(INSIDE, "2026-01-01", "soon", "2026-01-02", id="nobody knows whether it belonged"),
        pytest.param(EVENTFUL, "2026-01-01", "soon", "2026-01-02", id="nor of the event"),
        pytest.param(LOOKING_BACK, "2026-01-01", "soon", "2026-01-02", id="nor of the image before"),
    ],
)


async def rejected(processor: GatedProcessor[Desired], bad: ChangeRecord) -> bool:
    (outcome,) = await bring(processor, bad)
    return isinstance(outcome.error, Rejected)


@unmappable
@pytest.mark.parametrize("later", [0, 1], ids=["within the tick", "later"])
async def test_what_it_had_before_goes_with_it_and_it_may_come_back(
    settings: Mapping[str, object], good: str, bad: str, better: str, later: int
) -> None:
    world = World(settings)
    processor = world.processor()
    assert await bring(processor, change(None, good)) == [APPLIED]
    assert await rejected(processor, change(good, bad, later=later))
    assert set(world.shown().values()) == {good}
    assert await bring(processor, change(bad, None, later=2 * later)) == [APPLIED]
    assert world.shown() == {}
    assert await bring(processor, change(None, better, later=3)) == [APPLIED]
    assert set(world.shown().values()) == {better}


@unmappable
@pytest.mark.parametrize("later", [0, 1], ids=["within the tick", "later"])
async def test_what_it_had_before_goes_when_it_is_mended(
    settings: Mapping[str, object], good: str, bad: str, better: str, later: int
) -> None:
    world = World(settings)
    processor = world.processor()
    world.commit(better)
    await bring(processor, change(None, good))
    assert await rejected(processor, change(good, bad, later=later))
    assert await bring(processor, change(bad, better, later=2 * later)) == [APPLIED]
    assert set(world.shown().values()) == {better}
    assert len(world.shown()) == (len(better) if settings is LETTERS else 1)


@unmappable
async def test_its_dead_letter_is_settled_by_what_the_item_is_by_now(
    settings: Mapping[str, object], good: str, bad: str, better: str
) -> None:
    world = World(settings)
    processor = world.processor()
    world.commit(better)
    await bring(processor, change(None, good))
    await processor.settle_by_source([change(good, bad, later=1)])
    await bring(processor, change(bad, better, later=2))
    assert set(world.shown().values()) == {better}
    assert len(world.shown()) == (len(better) if settings is LETTERS else 1)


@unmappable
async def test_what_it_had_before_does_not_come_back_late(
    settings: Mapping[str, object], good: str, bad: str, better: str
) -> None:
    world = World(settings)
    processor = world.processor()
    await bring(processor, change(bad, better, later=2))
    assert await bring(processor, change(None, good)) == [STALE]
    assert set(world.shown().values()) == {better}
    assert await bring(processor, change(better, None, later=3)) == [APPLIED]
    assert world.shown() == {}


@unmappable
async def test_what_it_had_before_does_not_come_back_late_within_the_tick(
    settings: Mapping[str, object], good: str, bad: str, better: str
) -> None:
    world = World(settings)
    processor = world.processor()
    world.commit(better)
    await bring(processor, change(bad, better), change(None, good))
    assert set(world.shown().values()) == {better}


async def test_what_it_had_before_an_image_that_found_fault_with_the_one_before_it_goes_too() -> None:
    world = World({**MOVING, "fields": {"v": "new.v", "date": "iso_date(old.v)"}})
    processor = world.processor()
    first, soon, last = "2026-01-01", "soon", "2026-01-02"
    assert await bring(processor, change(None, first), change(first, soon, later=1)) == [APPLIED, APPLIED]
    assert await rejected(processor, change(soon, last, later=2))
    assert set(world.shown()) == {soon}
    assert await bring(processor, change(last, None, later=3)) == [APPLIED]
    assert world.shown() == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"v": "new.v"},
        {"v": "new.v", "was": "old.v", "at": "iso_date(event.time)", "sold": "concat(new.v, new.sold)"},
    ],
    ids=["of the item", "of the change"],
)
async def test_an_item_whose_images_tell_everything_is_not_searched_for(fields: Mapping[str, str]) -> None:
    world = World({**LETTERS, "fields": fields})
    processor = world.processor()
    await bring(processor, change(None, "ab"), change("ab", "bc", later=1), change("bc", None, later=2))
    assert "_search" not in world.calls


async def test_an_item_with_more_documents_than_a_search_finds_waits_until_all_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(LETTERS)
    processor = world.processor()
    await bring(processor, change(None, "abcde"))
    assert await rejected(processor, change("abcde", "ff", later=1))
    monkeypatch.setattr(opensearch, "MOST_FOUND", 2)
    monkeypatch.setattr("consumer.stores.opensearch.index.MOST_FOUND", 2)
    gone = change("ff", None, later=2)
    for left in (3, 1):
        (outcome,) = await bring(processor, gone)
        assert isinstance(outcome.error, Unavailable)
        assert outcome.error.of_item
        assert len(world.shown()) == left
    assert await bring(processor, gone) == [APPLIED]
    assert world.shown() == {}


async def test_an_item_with_more_documents_than_a_search_finds_goes_on_where_those_are_to_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(LETTERS)
    processor = world.processor()
    await bring(processor, change(None, "abxy"))
    assert await rejected(processor, change("abxy", "ff", later=1))
    monkeypatch.setattr(opensearch, "MOST_FOUND", 3)
    monkeypatch.setattr("consumer.stores.opensearch.index.MOST_FOUND", 3)
    assert await bring(processor, change("ff", "abcd", later=2)) == [APPLIED]
    assert world.shown() == dict.fromkeys("abcd", "abcd")


async def test_an_item_waits_while_a_shard_is_away_that_may_hold_what_has_to_go() -> None:
    world = World(LETTERS)
    processor = world.processor()
    await bring(processor, change(None, "ab"))
    assert await rejected(processor, change("ab", "ff", later=1))
    world.away.add("a|x")
    gone = change("ff", None, later=2)
    (outcome,) = await bring(processor, gone)
    assert isinstance(outcome.error, Unavailable)
    assert set(world.shown()) == {"a", "b"}
    world.away.clear()
    assert await bring(processor, gone) == [APPLIED]
    assert world.shown() == {}
