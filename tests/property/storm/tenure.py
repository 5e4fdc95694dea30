"""One tenure of the shard's lease: the daemon's side of it, and the protocol thread's as a coroutine.

The checkpointer, the books and the positions are the service's own, as are the window and the record path of
the process. A held answer goes on checkpointing, as in shard/tenure.py.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from checkpoint.checkpointer import Checkpointer, Verdict
from checkpoint.positions import Positions, ShardPosition
from consumer.errors import Unavailable
from consumer.record import Position
from consumer.shard.bookkeeping import Bookkeeper, Books
from consumer.shard.standstill import Standstill
from consumer.shard.trimmed import is_rewound
from tests.property.storm.history import Ending
from tests.property.storm.lease import SHARD, Lease
from tests.property.storm.outfit import Outfit
from tests.property.storm.process import Process
from tests.property.storm.stores import Connection
from tests.property.storm.world import APPLICATION, World

_LOOK_UP_SECONDS = 0.5
_DRAIN_SECONDS = 20.0
_POSITIONS_SECONDS = 2.0


class Tenure:
    """The n-th."""

    def __init__(
        self, lease: Lease, world: World, outfit: Outfit, number: int, ending: Ending | None
    ) -> None:
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """How it ended, as far as the next owner is concerned."""
        self._lease = lease
        self._world = world
        self._history = world.history
        self._outfit = outfit
        self._number = number
        self._who = f"tenure {number}"
        self._ending = ending
        self._is_drain_requested = False
        self._is_finishing = False
        self._begun_after = self._given = 0
        self._marks: dict[str, int] = {}
        self._asked_at = world.now
        self._messages: list[tuple[int, int]] = []
        self.process = Process(world, outfit, self._who, self._look_at_ending)
        self._path, self._window = self.process.path, self.process.window
        self._delivering: asyncio.Task[None] | None = None
        self._books: Books | None = None
        self._bookkeeper: Bookkeeper | None = None
        self._checkpointer = Checkpointer(
            self._ask_kcl, interval=self._history.checkpoint_interval, clock=lambda: world.now
        )

    def begin(self) -> None:
        """Take over the lease."""
        self._lease.owner = self._number
        self._world.note(self._who, "begins", self._lease.checkpoint)
        self.process.spawn(self._run())

    async def finish(self) -> None:
        """Drain, when all is done, and see that it stops."""
        self._is_finishing = True
        self.process.stop()
        if self._delivering is not None and self._bookkeeper is not None:
            await asyncio.wait([self._delivering], timeout=_DRAIN_SECONDS)
            if not self._delivering.done():
                self._broken("goes on though it was stopped and all is done")
            await self._bookkeeper.write_positions()
        self.process.kill()

    def _look_at_ending(self, step: int) -> None:
        ending, world = self._ending, self._world
        if ending is None or step != ending.step or world.is_calm:
            return
        world.note(self._who, "is", ending.how)
        if ending.how == "drained":
            self._is_drain_requested = True
        elif ending.how == "killed":
            self.process.kill()
            self._say_over("killed")
        else:
            self._lease.owner = -1
            asyncio.get_running_loop().call_later(ending.lingers, self.process.kill)
            self._say_over("stolen")

    def _say_over(self, how: str) -> None:
        if not self.over.done():
            self.over.set_result(how)

    async def _run(self) -> None:
        place, process, outfit = self._lease.checkpoint, self.process, self._outfit
        position = None if place is None else Position(*place)
        self._given = self._begun_after = 0 if place is None else int(place[0])
        client = Connection(
            self._world, "positions", process.step, lambda: self._lease.check_positions(self._marks)
        )
        positions = Positions(client, APPLICATION)
        row = await _patiently_read(positions)
        is_replay = is_rewound(row, position)
        if row is not None and not is_replay:
            marks = {
                name: Position(mark.sequence_number, mark.sub_sequence_number)
                for name, mark in row.processors.items()
            }
            self._path.resume(marks)
            self._marks = {name: int(mark.sequence_number) for name, mark in marks.items()}
        self._books = Books(SHARD, row, parked=None, position=position, replay=is_replay)
        self._bookkeeper = bookkeeper = Bookkeeper(
            outfit.context,
            self._path,
            self._books,
            outfit.metrics,
            positions,
            Path(),
            outfit.log,
            Standstill(outfit.context, self._path, {}),
        )
        self._delivering = process.spawn(self._path.run())
        process.spawn(_write_positions(bookkeeper))
        await self._converse()
        if self._is_finishing:
            return
        if self._is_drain_requested:
            await self._drain(bookkeeper)
        else:
            await asyncio.sleep(_LOOK_UP_SECONDS)  # until the daemon tells of the lost lease
        process.kill()
        self._say_over("drained")

    async def _converse(self) -> None:
        """Messages, one after the other; each is answered once there is room."""
        while not self.process.is_stopping:
            await asyncio.sleep(self._world.random.uniform(0.01, 0.5))
            self._hand_over()
            self._checkpoint()
            if self._window.is_full:
                self.process.hurry()
            while self._window.is_full and not self._is_to_let_go():
                await asyncio.sleep(_LOOK_UP_SECONDS)
                self._checkpoint()
            everything = len(self._world.truth.records)
            if self._is_drain_requested:
                self.process.stop()
            elif self._given == everything and self._lease.checkpoint == (str(everything), 0):
                self._say_over("finished")

    def _is_to_let_go(self) -> bool:
        return self._is_drain_requested or self.process.is_stopping

    def _hand_over(self) -> None:
        """A message's records, into the window."""
        world, first = self._world, self._given
        self._check_window()
        last = min(world.held_by_stream(), first + self._history.message_records)
        records = world.truth.records[first:last]
        size = sum(len(record.data) for record in records)
        self._window.admit(len(records), size)
        self._messages.append((last - self._begun_after, size))
        self._given = last
        if records:
            world.note(self._who, "is given", first + 1, last)
        for name, witness in self.process.witnesses.items():
            witness.arrived(range(max(first, self._marks.get(name, 0)) + 1, last + 1))
        asyncio.get_running_loop().call_soon(self._path.accept, records, world.truth.decoded[first:last])

    def _check_window(self) -> None:
        """No message comes while the window is full, by our own count."""
        settled = self._path.frontier.settled
        records = self._given - self._begun_after - settled
        self._messages = [(last, size) for last, size in self._messages if last > settled]
        size = sum(size for _, size in self._messages)
        if (self._window.records, self._window.size) != (records, size):
            self._broken(f"counts {self._window.records} records in flight, {records} are")
        if records >= self._history.window_records or size >= self._history.window_bytes:
            self._broken(f"took a message with {records} records, {size} bytes in flight")

    def _checkpoint(self, *, is_due_only: bool = True) -> bool:
        low = self._path.frontier.low
        place = None if low is None else (low.sequence_number, low.sub_sequence_number)
        before = self._checkpointer.last
        ask = self._checkpointer.checkpoint_if_due if is_due_only else self._checkpointer.checkpoint
        asked_before = self._asked_at
        verdict = ask(place)
        is_early = self._world.now - asked_before < self._history.checkpoint_interval
        if is_due_only and is_early and self._asked_at > asked_before:
            self._broken(f"asked for a checkpoint at {asked_before} and again at {self._asked_at}")
        if verdict is Verdict.LOST:
            self._world.note(self._who, "finds its lease lost")
            self.process.stop()
        elif self._checkpointer.last != before and self._books is not None:
            self._books.checkpointed(self._world.clock(), self._checkpointer.last)
        return verdict is not Verdict.LATER

    def _ask_kcl(self, sequence_number: str | None, sub_sequence_number: int | None) -> str | None:
        self._asked_at = self._world.now
        if sequence_number is None or sub_sequence_number is None:
            self._broken("ends the shard")
            return None
        if not self._begun_after < int(sequence_number) <= self._given:
            self._broken(f"checkpoints at {sequence_number}, which it was not given")
        error = self._lease.take_checkpoint(self._number, (sequence_number, sub_sequence_number))
        self.process.is_fenced |= error == "ShutdownException"
        return error

    async def _drain(self, bookkeeper: Bookkeeper) -> None:
        deadline = self._world.now + _DRAIN_SECONDS
        if self._delivering is not None:
            await asyncio.wait([self._delivering], timeout=_DRAIN_SECONDS)
        while not self._checkpoint(is_due_only=False) and self._world.now < deadline:  # noqa: ASYNC110 - KCL has no event
            await asyncio.sleep(1.0)
        with suppress(Unavailable):
            await bookkeeper.write_positions()

    def _broken(self, sentence: str) -> None:
        self._world.broken(f"{self._who} {sentence}")


async def _patiently_read(positions: Positions) -> ShardPosition | None:
    while True:
        try:
            return await positions.read_shard(SHARD)
        except Unavailable:
            await asyncio.sleep(1.0)


async def _write_positions(bookkeeper: Bookkeeper) -> None:
    while True:
        with suppress(Unavailable):
            await bookkeeper.write_positions()
        await asyncio.sleep(_POSITIONS_SECONDS)
