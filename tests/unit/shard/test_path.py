from consumer.errors import Unavailable
from consumer.record import Position, StreamRecord
from consumer.shard.deadletter.letter import DeadLetter
from tests.support.changes import envelope, in_stream
from tests.unit.shard.rig import Letters, item, until, way


def change(letter: str, number: int, table: str = "orders") -> StreamRecord:
    keys = {"id": {"S": item(letter)}}
    return in_stream(envelope("INSERT", keys, 1, new={"id": {"S": item(letter)}}, table=table), number)


def poison(number: int) -> StreamRecord:
    return in_stream(b"not JSON", number)


class FullVolume(Letters):
    """Can't keep letters until there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.has_room = False
        self.tries = 0

    async def write(self, letter: DeadLetter) -> None:
        self.tries += 1
        if not self.has_room:
            raise Unavailable("the volume is full", code="DeadLetterFile")
        await super().write(letter)


async def test_the_frontier_is_behind_the_slowest_processor_and_so_is_the_windows_room() -> None:
    async with way() as shard:
        shard.accept(change("a", 1), change("b", 2), change("c", 3))
        shard.view.let_go()
        shard.audit.let_go("a", "c")
        await until(lambda: len(shard.view.applied) == 3 and len(shard.audit.applied) == 2)
        assert (shard.low, shard.window.records) == ("1", 2)
        assert shard.path.frontier.last_of("view") == change("c", 3)
        shard.audit.let_go("b")
        await until(lambda: len(shard.audit.applied) == 3)
        assert (shard.low, shard.window.records, shard.window.size) == ("3", 0, 0)


async def test_records_of_another_table_are_skipped_and_counted() -> None:
    async with way() as shard:
        shard.accept(change("a", 1, table="customers"), change("b", 2, table="customers"))
        assert shard.low == "2"
        assert shard.path.outcomes == {"view": {"skipped": 2}, "audit": {"skipped": 2}}
        assert (shard.view.applied, shard.view.begun) == ([], 0)


async def test_bytes_that_are_no_change_are_kept_once_and_then_settled_for_every_processor() -> None:
    letters = Letters()
    async with way(letters) as shard:
        shard.view.let_go()
        shard.audit.let_go()
        shard.accept(change("a", 1), poison(2), change("b", 3))
        await until(lambda: shard.low == "3")
        (letter,) = letters.kept
        assert (letter.processor, letter.record, letter.error.code) == (None, poison(2), "NotAnEnvelope")
        assert shard.path.outcomes["view"] == {"applied": 2, "failed": 1}


async def test_a_dead_letter_that_cannot_be_written_holds_the_frontier_and_nothing_else() -> None:
    letters = FullVolume()
    async with way(letters) as shard:
        shard.view.let_go()
        shard.audit.let_go()
        shard.accept(change("a", 1), poison(2), change("b", 3))
        await until(lambda: letters.tries > 3 and len(shard.view.applied) == len(shard.audit.applied) == 2)
        assert (shard.low, shard.path.blocked) == ("1", "the volume is full")
        letters.has_room = True
        await until(lambda: shard.low == "3")
        assert (len(letters.kept), shard.path.blocked) == (1, None)


async def test_what_a_processor_had_settled_in_an_earlier_tenure_is_not_delivered_to_it_again() -> None:
    async with way() as shard:
        shard.path.resume({"view": Position("20")})
        shard.view.let_go()
        shard.audit.let_go()
        shard.accept(change("a", 9), change("b", 10))
        shard.accept(change("c", 20), change("d", 100), change("e", 101))
        await until(lambda: shard.low == "101")
        assert sorted(record.item for record in shard.view.applied) == [item("d"), item("e")]
        assert len(shard.audit.applied) == 5


async def test_a_stopped_path_takes_nothing_more_and_its_frontier_stays() -> None:
    async with way() as shard:
        shard.view.let_go()
        shard.audit.let_go()
        shard.accept(change("a", 1))
        await until(lambda: shard.low == "1")
        shard.path.stop()
        shard.accept(change("b", 2), poison(3))
        assert (shard.path.frontier.accepted, shard.low) == (1, "1")
