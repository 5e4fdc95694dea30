"""Redriving the files of shard processes."""

import asyncio
import threading
from pathlib import Path

import orjson
import pytest

from consumer.errors import Rejected, SettingsError
from consumer.record import StreamRecord
from consumer.shard.deadletter.file import FileDeadLetters
from consumer.shard.deadletter.letter import DeadLetter, Origin
from tests.integration.redrive.conftest import SHARD, Ended, Stage


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_settled_letters_leave_the_file_and_all_other_lines_stay_byte_for_byte(stage: Stage) -> None:
    good, bad = stage.letter("a", "1"), stage.letter("b", "2", processor="picky")
    stage.file.write_bytes(b"\n".join([b"not a letter\r", good, b"", bad]) + b"\n")

    ended = stage.redrive()

    assert stage.row("a") == {"id": {"S": "a"}, "v": {"N": "1"}}
    assert stage.file.read_bytes() == b"\n".join([b"not a letter\r", b"", bad]) + b"\n"
    assert ended.code == 1
    assert ended.lines[0] == "1 settled (1 applied), 2 stay"
    assert f"letters.{SHARD}.jsonl, line 1" in ended.text
    assert "picky  ExpressionFailed  1" in ended.text


def test_the_files_of_all_shards_are_redriven_or_one_of_them(stage: Stage) -> None:
    others = [stage.directory / f"letters.shardId-00000000000{number}.jsonl" for number in (2, 3)]
    for number, path in enumerate((stage.file, *others)):
        path.write_bytes(stage.letter(f"item-{number}") + b"\n")

    assert stage.redrive(place=str(others[0])) == Ended(0, ["1 settled (1 applied)"])
    assert (lines(others[0]), len(lines(others[1]))) == ([], 1)
    assert stage.redrive() == Ended(0, ["2 settled (2 applied)"])
    assert [lines(path) for path in (stage.file, *others)] == [[], [], []]


def test_a_file_that_is_nowhere_is_told_and_none_yet_where_the_settings_say_is_nothing_to_do(
    stage: Stage,
) -> None:
    assert stage.redrive() == Ended(0, ["no letters"])
    with pytest.raises(SettingsError, match="there is no such file"):
        stage.redrive(place=str(stage.directory / "lettres.jsonl"))


def test_what_a_shard_process_appends_meanwhile_is_kept(stage: Stage) -> None:
    """It writes while the file is read, processed and rewritten; what is not settled is still there."""
    stage.file.write_bytes(b"".join(stage.letter(f"item-{number}") + b"\n" for number in range(300)))
    origin = Origin(stage.shop.prefix, stage.shop.stream, SHARD)
    writer = FileDeadLetters(stage.directory / "letters.jsonl", origin, lambda: 0.0)
    is_over = threading.Event()
    written: list[str] = []

    def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            record = StreamRecord(b"no change record", str(10_000 + number))
            letter = DeadLetter("view", record, Rejected("no", code="Bad"), 1)
            asyncio.run(writer.write(letter))
            written.append(record.sequence_number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        ended = stage.redrive()
    finally:
        is_over.set()
        thread.join()

    left = [orjson.loads(line)["source"]["sequenceNumber"] for line in lines(stage.file)]
    assert ended.lines[0].startswith("300 settled (300 applied)")
    assert written
    assert left == written


def test_an_undecodable_letter_that_decodes_by_now_goes_to_all_processors(stage: Stage) -> None:
    stage.file.write_bytes(stage.letter("a", "text", processor=None) + b"\n")

    assert stage.redrive() == Ended(0, ["1 settled (1 applied)"])

    assert (stage.row("a"), stage.row("a", "picky")) == (
        {"id": {"S": "a"}, "v": {"S": "text"}},
        {"id": {"S": "a"}, "size": {"N": "4"}},
    )
    assert lines(stage.file) == []


def test_an_undecodable_letter_stays_until_all_processors_have_settled_it(stage: Stage) -> None:
    letter = stage.letter("a", "2", processor=None)
    stage.file.write_bytes(letter + b"\n")

    by_one = stage.redrive(processor="view")
    by_all = stage.redrive()

    assert (by_one.code, "OtherProcessors" in by_one.text) == (1, True)
    assert (by_all.code, "picky  ExpressionFailed" in by_all.text) == (1, True)
    assert stage.row("a") is not None
    assert lines(stage.file) == [letter]


def test_letters_of_other_processors_are_passed_over_where_one_is_named(stage: Stage) -> None:
    mine, other = stage.letter("a"), stage.letter("b", "text", processor="picky")
    stage.file.write_bytes(mine + b"\n" + other + b"\n")

    assert stage.redrive(processor="view") == Ended(0, ["1 settled (1 applied), 1 of other processors"])

    assert (lines(stage.file), stage.row("b", "picky")) == ([other], None)


def test_a_processor_that_is_not_there_is_told(stage: Stage) -> None:
    with pytest.raises(SettingsError, match=r"--processor viev: there is none; there are view, picky"):
        stage.redrive(processor="viev")


def test_letters_that_are_none_of_these_settings_business_stay_and_are_told(stage: Stage) -> None:
    strange = [
        stage.letter("a", application="another-shop"),
        stage.letter("b", processor="gone"),
        stage.letter("c", table="another-table"),
    ]
    stage.file.write_bytes(b"\n".join(strange) + b"\n")

    ended = stage.redrive()

    assert (ended.code, lines(stage.file)) == (1, strange)
    for code in ("OtherApplication", "NoSuchProcessor", "OtherTable"):
        assert f"  {code}  1, the first of them: {stage.file.name}, line" in ended.text


def test_a_deleted_item_whose_tombstone_is_gone_does_not_come_back(stage: Stage) -> None:
    """Deleted after the letter, and so long ago that nothing in the read model tells of it."""
    stage.put("changed", "7")
    stage.file.write_bytes(
        stage.letter("deleted", "1", age_seconds=3 * 86_400)
        + b"\n"
        + stage.letter("changed", "1", age_seconds=3 * 86_400)
        + b"\n"
    )

    assert stage.redrive() == Ended(0, ["2 settled (2 applied)"])

    tombstone = stage.row("deleted")
    assert tombstone is not None
    assert set(tombstone) == {"id", "expires_at"}
    assert stage.row("changed") == {"id": {"S": "changed"}, "v": {"N": "7"}}


def test_what_the_filters_leave_out_by_now_is_settled(stage: Stage) -> None:
    settings = stage.settings()
    filters = "    filters: [ { dynamodb: { Keys: { id: { S: [ a ] } } } } ]\n"
    text = settings.read_text(encoding="utf-8").replace("- name: view\n", "- name: view\n" + filters)
    settings.write_text(text, encoding="utf-8")
    stage.file.write_bytes(stage.letter("a") + b"\n" + stage.letter("b") + b"\n")

    assert stage.redrive() == Ended(0, ["2 settled (1 applied, 1 filtered)"])

    assert (stage.row("a") is None, stage.row("b")) == (False, None)


def test_two_redrives_at_once_settle_every_letter_and_end_with_an_empty_file(stage: Stage) -> None:
    stage.file.write_bytes(b"".join(stage.letter(f"item-{number}") + b"\n" for number in range(120)))

    async def both() -> tuple[Ended, Ended]:
        return await asyncio.gather(stage.redriven(), stage.redriven())

    assert [ended.code for ended in asyncio.run(both())] == [0, 0]
    assert lines(stage.file) == []
    assert all(stage.row(f"item-{number}") for number in range(120))
