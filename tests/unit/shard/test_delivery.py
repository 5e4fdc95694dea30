"""The event loop's side of a shard: what goes wrong in it ends the process, and a stop is a stop."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from consumer.aws.client import Answer
from consumer.errors import Unavailable
from consumer.log import open_log
from consumer.metrics import Metrics
from consumer.processors.build import build_processor
from consumer.record import Position
from consumer.settings.context import ShardContext
from consumer.shard import bookkeeping
from consumer.shard.delivery import ShardDelivery
from consumer.shard.path import Decoded, decode_all
from consumer.shard.window import Window
from consumer.status import read_statuses, status_directory
from consumer.stores.opened import Stores
from tests.support.changes import envelope, in_stream
from tests.support.context import shard_context
from tests.unit.shard.rig import HeldProcessor, Letters, make_path

SHARD = "shardId-000000000000"
RECORDS = [
    in_stream(envelope("INSERT", {"id": {"S": item}}, 1, new={"id": {"S": item}}), number)
    for number, item in enumerate("ab", 1)
]


class EmptyAws:
    """An account without a row: whatever is read is not there, whatever is written is taken."""

    def __init__(self) -> None:
        self.is_there = asyncio.Event()
        self.is_there.set()
        self.hangs_at: str | None = None
        self.refusal: Unavailable | None = None
        self.control: dict[str, object] = {}
        """The control row."""

    def client(self, _service: str, _region: str) -> "EmptyAws":
        return self

    async def call(
        self, operation: str, request: Mapping[str, Any] | bytes, *, expect: tuple[str, ...] = ()
    ) -> Answer:
        del expect
        await self.is_there.wait()
        if self.refusal is not None:
            raise self.refusal
        if operation == self.hangs_at:
            await asyncio.Event().wait()
        if self.control and isinstance(request, dict) and request.get("Key") == {"key": {"S": "control"}}:
            return Answer({"Item": self.control}, None)
        return Answer({}, None)


@asynccontextmanager
async def delivery_of(
    aws: EmptyAws, run_directory: Path, context: ShardContext | None = None, log: BytesIO | None = None
) -> AsyncIterator[ShardDelivery]:
    status_directory(run_directory).mkdir()
    delivery = ShardDelivery(
        context or shard_context(),
        cast("Stores", SimpleNamespace(aws=aws)),
        Metrics(CollectorRegistry()),
        run_directory,
        open_log(log or BytesIO()),
        build_processor,
    )
    before = asyncio.all_tasks()
    try:
        yield delivery
    finally:
        ours = asyncio.all_tasks() - before
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)


async def begun(delivery: ShardDelivery) -> None:
    while not delivery.is_started:  # noqa: ASYNC110 - set for another thread, which is told by a pipe
        await asyncio.sleep(0.001)


def ticked_at(run_directory: Path) -> float | None:
    """When the shard process last wrote its status, Unix seconds."""
    return next((status.ticked_at for status in read_statuses(run_directory)), None)


@pytest.mark.parametrize(("position", "logged"), [(Position("17", 0), '"17"'), (None, "null")])
async def test_where_a_shard_begins_is_logged_by_its_sequence_number(
    tmp_path: Path, position: Position | None, logged: str
) -> None:
    log = BytesIO()
    async with asyncio.timeout(20), delivery_of(EmptyAws(), tmp_path, log=log) as delivery:
        delivery.begin(SHARD, position)
        await begun(delivery)
    assert f'"position":{logged}'.encode() in log.getvalue()


async def test_a_shard_that_begins_during_a_cut_over_begins_at_rest(tmp_path: Path) -> None:
    aws = EmptyAws()
    stop = {"phase": {"S": "stop"}, "generation": {"N": "0"}, "token": {"S": "t"}, "since": {"N": "1"}}
    aws.control = {"processor/view": {"M": {**stop, "into": {"S": "view-2"}, "application": {"S": "a"}}}}
    async with asyncio.timeout(20), delivery_of(aws, tmp_path) as delivery:
        delivery.begin(SHARD, None)
        await begun(delivery)
        delivery.accept(RECORDS, decode_all(RECORDS), 0)
        while not any(status.records_received for status in read_statuses(tmp_path)):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
        (status,) = read_statuses(tmp_path)
        assert "stands still: stopped for its cut-over to 'view-2'" in (status.message or "")
        assert delivery.place is None


async def test_a_batch_that_can_t_be_taken_ends_the_process_instead_of_being_passed_over(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(20), delivery_of(EmptyAws(), tmp_path) as delivery:
        delivery.begin(SHARD, None)
        await begun(delivery)
        nonsense = cast("list[Decoded]", [None, None])
        delivery.accept(RECORDS, nonsense, 0)
        with pytest.raises(AttributeError):
            await delivery.failed


async def test_what_the_settings_filter_out_is_settled_without_its_processor(tmp_path: Path) -> None:
    context = shard_context()
    (view,) = context.settings.processors
    nobody = view.model_copy(update={"filters": ('{"dynamodb":{"Keys":{"id":{"S":["nobody"]}}}}',)})
    settings = context.settings.model_copy(update={"processors": (nobody,)})
    aws = EmptyAws()
    aws.hangs_at = "PutItem"
    filtering = context.model_copy(update={"settings": settings})
    async with asyncio.timeout(20), delivery_of(aws, tmp_path, filtering) as delivery:
        delivery.begin(SHARD, None)
        await begun(delivery)
        delivery.accept(RECORDS, decode_all(RECORDS), 0)
        while delivery.place is None:  # noqa: ASYNC110 - set for another thread, which reads it
            await asyncio.sleep(0.001)
        assert delivery.place == (RECORDS[-1].sequence_number, 0)


async def test_a_shard_that_is_stopped_while_it_begins_does_not_run(tmp_path: Path) -> None:
    aws = EmptyAws()
    aws.is_there.clear()
    async with asyncio.timeout(20), delivery_of(aws, tmp_path) as delivery:
        delivery.begin(SHARD, None)
        await asyncio.sleep(0)
        delivery.drain()
        assert delivery.is_drained
        aws.is_there.set()
        await begun(delivery)
        delivery.accept(RECORDS, decode_all(RECORDS), 0)
        await asyncio.sleep(0.01)
        assert delivery.place is None


async def test_a_shard_that_can_t_begin_says_why_and_begins_once_it_can(tmp_path: Path) -> None:
    aws = EmptyAws()
    aws.refusal = Unavailable("dynamodb GetItem: not authorized", code="AccessDeniedException")
    async with asyncio.timeout(30), delivery_of(aws, tmp_path) as delivery:
        delivery.begin(SHARD, None)
        while not (statuses := read_statuses(tmp_path)) or statuses[0].message is None:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
        assert (statuses[0].shard_id, statuses[0].state) == (SHARD, "starting")
        assert "not authorized" in statuses[0].message
        aws.refusal = None
        await begun(delivery)
        while read_statuses(tmp_path)[0].state != "running":  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)


async def test_a_shard_says_that_it_lives_while_its_positions_can_t_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bookkeeping, "TICK_SECONDS", 0.001)
    aws = EmptyAws()
    aws.hangs_at = "PutItem"
    async with asyncio.timeout(20), delivery_of(aws, tmp_path) as delivery:
        delivery.begin(SHARD, None)
        seen: set[float | None] = set()
        while len(seen) < 4:
            await asyncio.sleep(0.001)
            seen.add(ticked_at(tmp_path))


async def test_a_path_that_is_stopped_says_that_it_takes_nothing() -> None:
    window = Window(records=10, size=1_000)
    path = make_path({"view": HeldProcessor()}, window, Letters())
    assert path.accept(RECORDS, decode_all(RECORDS))
    path.stop()
    assert not path.accept(RECORDS, decode_all(RECORDS))
    assert path.frontier.accepted == len(RECORDS)
