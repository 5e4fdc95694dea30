"""Redriving the files of shard processes."""

from tests.integration.redrive.conftest import Stage


def test_settled_letters_leave_the_file_and_all_other_lines_stay_byte_for_byte(stage: Stage) -> None:
    good, bad = stage.letter("a", "1"), stage.letter("b", "2", processor="picky")
    stage.file.write_bytes(b"\n".join([b"not a letter\r", good, b"", bad]) + b"\n")

    ended = stage.redrive()

    assert stage.row("a") == {"id": {"S": "a"}, "v": {"N": "1"}}
    assert stage.file.read_bytes() == b"\n".join([b"not a letter\r", b"", bad]) + b"\n"
    assert ended.code == 1
    assert ended.lines[0] == "1 settled (1 applied), 2 stay"
    assert f"letters.{'shardId-000000000001'}.jsonl, line 1" in ended.text
    assert "ExpressionFailed" in ended.text
