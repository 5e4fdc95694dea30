"""An item with several documents, or with one that moves, in a real OpenSearch."""

from consumer.processors.base import APPLIED, STALE
from consumer.record import ChangeRecord, EventName, Granularity, Image
from consumer.shard.envelopes import decode
from tests.integration.opensearch.world import World
from tests.support.changes import envelope, in_stream

LINES = {
    "for_each": "new.lines",
    "key": {"order": "keys.id", "sku": "item.sku"},
    "fields": {"qty": "item.qty"},
}


def order(**lines: str) -> Image:
    return {
        "id": {"S": "o-1"},
        "lines": {"L": [{"M": {"sku": {"S": sku}, "qty": {"N": qty}}} for sku, qty in lines.items()]},
    }


def change(
    old: Image | None, new: Image | None, micros: int, granularity: Granularity = Granularity.MICROSECOND
) -> ChangeRecord:
    event: EventName = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    keys = {"id": {"S": "o-1"}}
    return decode(in_stream(envelope(event, keys, micros, new=new, old=old, granularity=granularity)))


def line(sku: str, qty: int) -> dict[str, object]:
    return {"order": "o-1", "sku": sku, "qty": qty}


async def test_a_document_per_line_comes_changes_and_goes(world: World) -> None:
    processor = world.processor(**LINES)  # type: ignore[arg-type]  # settings as in the file
    first, second = order(a="1", b="2"), order(b="3", c="4")
    assert await processor.process([change(None, first, 1), change(first, second, 2)]) == [APPLIED, APPLIED]
    assert await world.shown() == {"o-1|b": line("b", 3), "o-1|c": line("c", 4)}
    assert await processor.process([change(None, first, 1)]) == [STALE]
    assert await processor.process([change(second, None, 3)]) == [APPLIED]
    assert await world.shown() == {}
    assert set(await world.held()) == {"o-1|a", "o-1|b", "o-1|c"}


async def test_lines_that_went_before_they_came_stay_gone(world: World) -> None:
    processor = world.processor(**LINES)  # type: ignore[arg-type]  # settings as in the file
    first, second = order(a="1", b="2"), order(b="3", c="4")
    await processor.process([change(first, second, 2), change(None, first, 1)])
    assert await world.shown() == {"o-1|b": line("b", 3), "o-1|c": line("c", 4)}


async def test_a_tie_is_settled_on_all_documents_and_claimed_where_no_reader_looks(world: World) -> None:
    processor = world.processor(**LINES)  # type: ignore[arg-type]  # settings as in the file
    first, second = order(a="1", b="2"), order(b="3", c="4")
    world.hold(second)
    ms = Granularity.MILLISECOND
    await processor.process([change(first, second, 5_000, ms), change(None, first, 5_000, ms)])
    assert await world.shown() == {"o-1|b": line("b", 3), "o-1|c": line("c", 4)}
    (claim,) = [name for name in await world.held() if name.startswith("\\^")]
    assert (await world.held())[claim]["_tidemark"]["n"] == 1


async def test_a_key_that_moves_takes_its_document_along_and_two_items_may_have_one_key(world: World) -> None:
    processor = world.processor(key={"code": "new.code"}, fields={"id": "keys.id"})

    def moved(item: str, old: str | None, new: str | None, micros: int) -> ChangeRecord:
        def image(code: str | None) -> Image | None:
            return None if code is None else {"id": {"S": item}, "code": {"S": code}}

        event: EventName = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
        keys = {"id": {"S": item}}
        return decode(in_stream(envelope(event, keys, micros, old=image(old), new=image(new))))

    await processor.process([moved("x", None, "k", 1), moved("y", None, "k", 1), moved("x", "k", "l", 2)])
    assert await world.shown() == {
        "k|y": {"code": "k", "id": "y"},
        "l|x": {"code": "l", "id": "x"},
    }


async def test_an_order_of_many_lines_is_written_whole(world: World) -> None:
    processor = world.processor(**LINES)  # type: ignore[arg-type]  # settings as in the file
    many = order(**{f"sku{number}": str(number) for number in range(900)})
    assert await processor.process([change(None, many, 1)]) == [APPLIED]
    await world.ask("POST", f"/{world.index}/_refresh")
    assert (await world.ask("GET", f"/{world.alias}/_count"))["count"] == 900


async def test_numbers_keep_their_digits_sets_are_lists_and_binary_is_text(world: World) -> None:
    await world.ask("PUT", f"/{world.index}/_mapping", b'{"properties":{"n":{"type":"double"}}}')
    digits = "12345678901234567890123456789012345678"
    image: Image = {"id": {"S": "o-1"}, "n": {"N": digits}, "s": {"SS": ["b", "a"]}, "b": {"B": "AAE="}}
    fields = {"n": "new.n", "s": "new.s", "b": "new.b"}
    await world.processor(fields=fields).process([change(None, image, 1)])
    assert await world.shown() == {
        "o-1": {"id": "o-1", "n": int(digits), "s": ["a", "b"], "b": "AAE="},
    }


async def test_what_an_item_had_before_an_image_that_could_not_be_mapped_goes_but_for_what_may_stay(
    world: World,
) -> None:
    processor = world.processor(**LINES)  # type: ignore[arg-type]  # settings as in the file
    first, last = order(a="1", b="2", c="3"), order(b="5")
    twice: Image = {**first, "lines": {"L": [{"M": {"sku": {"S": "d"}, "qty": {"N": "4"}}}] * 2}}
    outcomes = await processor.process([change(None, first, 1)])
    outcomes += await processor.process([change(first, twice, 2)])
    outcomes += await processor.process([change(twice, last, 3)])
    assert [outcome.kind for outcome in outcomes] == ["applied", "failed", "applied"]
    assert await world.shown() == {"o-1|b": line("b", 5)}
