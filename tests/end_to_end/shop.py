"""Somebody who keeps changing a table. What was written is not kept here: the table itself is the truth."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from consumer.commands.demo.stage import open_stage
from consumer.commands.demo.writer import Pacer
from sandbox.process import REGION
from tests.end_to_end.stage import KEY, Stage

_SIDE_BY_SIDE = 8
_DELETES, _UPDATES = 0.2, 0.3
"""Shares of the writes to an item that is there; the others put it anew."""


class Shop:
    """Inserts, updates, deletes and inserts again a few items, each write one record in the stream.

    Attributes:
        written: how many writes have come back, so that as many records are in the stream.
    """

    def __init__(
        self, stage: Stage, name: str = "item", *, items: int = 200, seed: int = 1, padding: int = 200
    ) -> None:
        """`name` begins the items' keys, another for each shop; `padding`: bytes in every item besides."""
        self.written = 0
        self._stage = stage
        self._random = random.Random(seed)
        self._idle = [f"{name}-{number:05d}" for number in range(items)]
        self._there: set[str] = set()
        self._padding = "x" * padding
        self._turns = 0

    def write(self, count: int) -> None:
        """Write so many changes now, as fast as they go."""
        left = iter(range(count))

        async def lane(client: Any) -> None:  # noqa: ANN401 - the stage's client
            for _ in left:
                await self._write_one(client)

        asyncio.run(self._side_by_side(lane))

    @contextmanager
    def writing(self, rate: float) -> Iterator[None]:
        """Write `rate` changes a second in the background while the block runs.

        Raises what went wrong there, once the block is over.
        """
        stopped = threading.Event()
        failures: list[Exception] = []

        def work() -> None:
            try:
                asyncio.run(self._keep_writing(rate, stopped))
            except Exception as error:  # noqa: BLE001 - raised in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=work, name="shop")
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        if failures:
            raise failures[0]

    async def _keep_writing(self, rate: float, stopped: threading.Event) -> None:
        pacer = Pacer(rate, time.monotonic)

        async def lane(client: Any) -> None:  # noqa: ANN401 - the stage's client
            while not stopped.is_set():
                await asyncio.sleep(min(pacer.delay(), 0.5))
                await self._write_one(client)

        await self._side_by_side(lane)

    async def _side_by_side(self, lane: Any) -> None:  # noqa: ANN401 - an async function of the client
        async with open_stage(self._stage.sandbox.endpoint, REGION) as stage, asyncio.TaskGroup() as group:
            for _ in range(min(_SIDE_BY_SIDE, len(self._idle))):
                group.create_task(lane(stage.dynamodb))

    async def _write_one(self, client: Any) -> None:  # noqa: ANN401 - as above
        """One write at a time to an item, so that each is known to change something."""
        item = self._draw()
        operation, request = self._next(item)
        await client.call(operation, {"TableName": self._stage.table, **request})
        self._idle.append(item)
        self.written += 1

    def _draw(self) -> str:
        """An item that nobody writes to; whoever drew it puts it back."""
        index = self._random.randrange(len(self._idle))
        self._idle[index], self._idle[-1] = self._idle[-1], self._idle[index]
        return self._idle.pop()

    def _next(self, item: str) -> tuple[str, dict[str, Any]]:
        self._turns += 1
        turn = {"N": str(self._turns)}
        dice = self._random.random()
        if item in self._there and dice < _DELETES:
            self._there.discard(item)
            return "DeleteItem", {"Key": {KEY: {"S": item}}}
        if item in self._there and dice < _DELETES + _UPDATES:
            values = {":turn": turn}
            return "UpdateItem", {
                "Key": {KEY: {"S": item}},
                "UpdateExpression": "SET turn = :turn",
                "ExpressionAttributeValues": values,
            }
        self._there.add(item)
        return "PutItem", {"Item": {KEY: {"S": item}, "turn": turn, "padding": {"S": self._padding}}}
