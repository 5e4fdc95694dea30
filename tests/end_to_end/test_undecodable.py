"""What is no change record, put straight into the stream among the changes of a table."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.process import SandboxProcess
from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, VIEW, Stage, set_stage
from tests.end_to_end.truth import assert_read_model_equals_source, stream_records, wait_until_checkpointed
from tests.integration.conftest import Aws
from tests.integration.streams import FIRST_SHARD

MOMENT = {
    "ApproximateCreationDateTime": 1_700_000_000_000_000,
    "ApproximateCreationDateTimePrecision": "MICROSECOND",
}
KEYS = {KEY: {"S": "poisoned"}}
CHANGES_BETWEEN = 10


@pytest.fixture
def stage(sandbox: SandboxProcess, aws: Aws, tmp_path: Path) -> Stage:
    """All in one shard."""
    return set_stage(sandbox, aws, tmp_path, shards=1)


def poison(table: str) -> dict[bytes, str | None]:
    """Data that can't be applied, and the processor that finds it out; None: it is not even decoded."""

    def envelope(**change: object) -> bytes:
        dynamodb = {**MOMENT, **change}
        return json.dumps({"eventName": "INSERT", "tableName": table, "dynamodb": dynamodb}).encode()

    return {
        b"\xff\x00 not JSON": None,
        b'{"eventName": "INSERT", "tableName": ': None,
        b"[" * 100_000: None,
        b"[1, 2, 3]": None,
        b'{"hello": "world"}': None,
        envelope(NewImage=KEYS): None,
        envelope(Keys={}, NewImage=KEYS): None,
        envelope(Keys={KEY: {}}, NewImage=KEYS): None,
        envelope(Keys=KEYS, NewImage={KEY: "no attribute value"}): VIEW,
        envelope(Keys=KEYS, ApproximateCreationDateTimePrecision="FORTNIGHT"): None,
    }


def dead_letters(file: Path) -> list[dict[str, Any]]:
    """The letters of the one shard there is."""
    of_shard = file.with_name(f"{file.stem}.{FIRST_SHARD}{file.suffix}")
    return [json.loads(line) for line in of_shard.read_text(encoding="utf-8").splitlines()]


def test_it_goes_whole_into_the_dead_letter_file_and_all_around_it_is_settled(stage: Stage) -> None:
    shop, poisoned = Shop(stage), poison(stage.table)
    file = stage.directory / "dead-letters" / "items.jsonl"
    with Service(
        stage, stage.write_settings(delivery={"on_failure": {"file": {"path": str(file), "durable": True}}})
    ) as service:
        service.wait_until_at_work(1)
        at_first = service.pids
        for data in poisoned:
            shop.write(CHANGES_BETWEEN)
            stage.aws.kinesis.put_record(StreamName=stage.stream, Data=data, PartitionKey="poison")
        shop.write(CHANGES_BETWEEN)
        wait_until_checkpointed(stage, records=shop.written + len(poisoned))

        assert_read_model_equals_source(stage)
        metrics = service.metrics()
        assert metrics.total("tidemark_records_settled_total", outcome="failed") == len(poisoned)
        assert metrics.total("tidemark_dead_letters_total", processor="decode") == len(poisoned) - 1
        assert metrics.total("tidemark_dead_letters_total", processor=VIEW) == 1
        assert service.pids == at_first, "nothing crashed"

    numbers = {record["Data"]: record["SequenceNumber"] for record in stream_records(stage)[FIRST_SHARD]}
    letters = {base64.b64decode(letter["record"]): letter for letter in dead_letters(file)}
    assert len(dead_letters(file)) == len(letters)
    assert {data: letter["processor"] for data, letter in letters.items()} == poisoned
    for data, letter in letters.items():
        assert letter["source"]["sequenceNumber"] == numbers[data]
        assert (letter["source"]["stream"], letter["source"]["shard"]) == (stage.stream, FIRST_SHARD)
        assert letter["error"]["message"]
