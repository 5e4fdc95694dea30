import asyncio
import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import orjson
import pytest

from consumer.errors import Rejected, Unavailable, Undecodable
from consumer.record import StreamRecord
from consumer.settings.model import DeadLetterFile, Delivery, OnFailure
from consumer.shard.deadletter.file import FileDeadLetters
from consumer.shard.deadletter.letter import DeadLetter, Origin
from consumer.shard.deadletter.places import DeadLetterPlaces, NoDeadLetters

RECORD = StreamRecord(b"\x00not JSON\xff", "49590338271490256608559692538361571095921575989136588898", 3, 17)
SHARD = "shardId-000000000001"
ORIGIN = Origin("shop", "orders", SHARD)


def letter(number: int = 1, record: StreamRecord = RECORD) -> DeadLetter:
    return DeadLetter("view", record, Rejected(f"no {number}", code="ValidationException"), 6)


def letters(path: Path) -> FileDeadLetters:
    return FileDeadLetters(path, ORIGIN, lambda: 1_700_000_000.5)


def lines(path: Path) -> list[bytes]:
    return (path.parent / f"{path.stem}.{SHARD}.jsonl").read_bytes().splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "volume" / "letters.jsonl"


async def test_a_letter_holds_the_whole_record_and_all_that_is_known_of_it(path: Path) -> None:
    await letters(path).write(letter())
    (line,) = lines(path)
    document = orjson.loads(line)
    assert base64.b64decode(document.pop("record")) == RECORD.data
    assert document == {
        "id": f"shop/view/{SHARD}/{RECORD.sequence_number}.3",
        "failedAt": "2023-11-14T22:13:20.500+00:00",
        "change": None,
        "application": "shop",
        "processor": "view",
        "error": {"type": "Rejected", "code": "ValidationException", "message": "no 1", "attempts": 6},
        "source": {
            "stream": "orders",
            "shard": SHARD,
            "sequenceNumber": RECORD.sequence_number,
            "subSequenceNumber": 3,
            "approximateArrivalTimestamp": 17,
        },
    }


async def test_a_record_that_was_never_decoded_names_no_processor(path: Path) -> None:
    error = Undecodable("not JSON", code="NotAnEnvelope")
    await letters(path).write(DeadLetter(None, RECORD, error, 1))
    document = orjson.loads(lines(path)[0])
    assert (document["processor"], document["error"]["type"]) == (None, "Undecodable")


async def test_letters_are_appended_one_a_line_by_this_process_and_the_next(path: Path) -> None:
    await letters(path).write(letter(1))
    await letters(path).write(letter(2))
    assert [orjson.loads(line)["error"]["message"] for line in lines(path)] == ["no 1", "no 2"]


async def test_letters_written_at_once_do_not_mix(path: Path) -> None:
    kept = letters(path)
    large = StreamRecord(b"x" * 300_000, "1")
    await asyncio.gather(*(kept.write(letter(number, large)) for number in range(20)))
    found = {orjson.loads(line)["error"]["message"] for line in lines(path)}
    assert found == {f"no {number}" for number in range(20)}


async def test_half_a_line_left_by_a_crash_does_not_swallow_the_next_letter(path: Path) -> None:
    await letters(path).write(letter(1))
    file = path.parent / f"{path.stem}.{SHARD}.jsonl"
    file.write_bytes(file.read_bytes() + b'{"processor":"vi')
    await letters(path).write(letter(2))
    first, half, last = lines(path)
    assert half == b'{"processor":"vi'
    assert [orjson.loads(line)["error"]["message"] for line in (first, last)] == ["no 1", "no 2"]


async def test_a_directory_that_cannot_be_written_makes_the_record_wait(tmp_path: Path) -> None:
    (tmp_path / "volume").write_text("a file where the directory should be")
    with pytest.raises(Unavailable, match=r"volume/letters\.shardId-000000000001\.jsonl can't be written"):
        await letters(tmp_path / "volume" / "letters.jsonl").write(letter())


async def test_a_volume_that_comes_back_takes_the_letter(tmp_path: Path) -> None:
    kept = letters(tmp_path / "volume" / "letters.jsonl")
    (tmp_path / "volume").write_text("in the way")
    with pytest.raises(Unavailable):
        await kept.write(letter())
    (tmp_path / "volume").unlink()
    await kept.write(letter())
    assert len(lines(tmp_path / "volume" / "letters.jsonl")) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("letters.jsonl", f"letters.{SHARD}.jsonl"),
        ("letters", f"letters.{SHARD}.jsonl"),
        ("a.b.log", f"a.b.{SHARD}.log"),
    ],
)
def test_each_shard_has_a_file_of_its_own(tmp_path: Path, name: str, expected: str) -> None:
    asyncio.run(letters(tmp_path / name).write(letter()))
    assert [file.name for file in tmp_path.iterdir()] == [expected]


async def test_without_a_dead_letter_the_record_waits_and_the_error_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match=r"ValidationException: no 1.*set delivery\.on_failure"):
        await NoDeadLetters().write(letter())


async def test_processors_that_name_one_file_share_its_writer_and_others_have_their_own(
    tmp_path: Path,
) -> None:
    places = DeadLetterPlaces(ORIGIN, "us-east-1", lambda *_: None)
    shared, own = (
        Delivery(
            on_failure=OnFailure(file=DeadLetterFile(path=str(tmp_path / f"{name}.jsonl"), durable=True))
        )
        for name in ("a", "b")
    )

    assert places.of(shared) is places.of(shared)
    await places.of(own).write(letter())
    assert len(lines(tmp_path / "b.jsonl")) == 1
    assert not (tmp_path / f"a.{SHARD}.jsonl").exists()
    with pytest.raises(Unavailable, match="no dead letter is configured"):
        await places.of(Delivery()).write(letter())


async def test_a_letter_is_written_through_to_the_disk_with_the_name_of_its_file(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    kinds: list[bool] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        kinds.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await letters(path).write(letter())
    assert kinds == [False, True]


class NoThreads(ThreadPoolExecutor):
    """The loop's own, all taken."""

    def submit(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("what hangs here keeps host names and credentials from being looked up")


async def test_a_file_takes_none_of_the_threads_that_look_up_host_names_and_credentials(path: Path) -> None:
    asyncio.get_running_loop().set_default_executor(NoThreads())

    await asyncio.gather(*(letters(path).write(letter(number)) for number in range(3)))

    assert len(lines(path)) == 3
