import fcntl
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import msgspec
import pytest

from consumer.record import Position, StreamRecord
from consumer.shard.kcl import (
    Daemon,
    DaemonGone,
    Initialize,
    LeaseLost,
    Message,
    ProcessRecords,
    ShardEnded,
    ShutdownRequested,
)
from consumer.shard.window import Window
from tests.support.multilang import (
    LEASE_LOST,
    SHARD_ENDED,
    SHUTDOWN_REQUESTED,
    ScriptedDaemon,
    initialize,
    process_records,
    scripted_daemon,
)
from tests.support.multilang import Message as Sent

RECORD = StreamRecord(
    b"\x00\xff{}", "49590338271490256608559692538361571095921575989136588898", 2, 1714564800123
)
EMPTY = StreamRecord(b"", "5")


@pytest.fixture
def script() -> Iterator[ScriptedDaemon]:
    with scripted_daemon() as daemon:
        yield daemon


@pytest.fixture
def window() -> Window:
    return Window(records=10, size=10)


@pytest.fixture
def daemon(script: ScriptedDaemon, window: Window) -> Daemon:
    return Daemon(script.child_input, script.child_output, window.wake_reader)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (initialize(), Initialize("shardId-000000000000", "TRIM_HORIZON", 0)),
        (initialize(None), Initialize("shardId-000000000000", None, 0)),
        (initialize("123"), Initialize("shardId-000000000000", "123", 0)),
        (process_records([RECORD, EMPTY], 1500), ProcessRecords([RECORD, EMPTY], 1500)),
        (process_records([], None), ProcessRecords([], None)),
        (LEASE_LOST, LeaseLost()),
        (SHARD_ENDED, ShardEnded()),
        ({**SHUTDOWN_REQUESTED, "since": "a later version"}, ShutdownRequested()),
    ],
)
def test_every_message_of_the_protocol_is_understood_whatever_else_it_carries(
    script: ScriptedDaemon, daemon: Daemon, sent: Sent, expected: Message
) -> None:
    script.send(sent)
    assert daemon.receive() == expected


def test_a_records_place_is_its_sequence_number_and_sub_sequence_number() -> None:
    assert RECORD.position == Position(RECORD.sequence_number, 2)


def test_a_message_of_megabytes_comes_through_whole(script: ScriptedDaemon, daemon: Daemon) -> None:
    large = [StreamRecord(bytes([number]) * 1_000_000, str(number)) for number in range(3)]
    sending = threading.Thread(target=script.send, args=(process_records(large),))
    sending.start()
    assert daemon.receive() == ProcessRecords(large, 0)
    sending.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose a pipe's size")
@pytest.mark.usefixtures("daemon")
def test_a_megabyte_fits_into_the_pipe(script: ScriptedDaemon) -> None:
    assert fcntl.fcntl(script.child_input, fcntl.F_GETPIPE_SZ) == 1 << 20


def test_an_input_that_is_no_pipe_is_read_all_the_same(script: ScriptedDaemon, window: Window) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as incoming:
        daemon = Daemon(incoming, script.child_output, window.wake_reader)
        theirs.sendall(b'{"action":"leaseLost"}\n')

        assert daemon.receive() == LeaseLost()


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (Initialize("s"), "initialize"),
        (ProcessRecords([]), "processRecords"),
        (LeaseLost(), "leaseLost"),
        (ShardEnded(), "shardEnded"),
        (ShutdownRequested(), "shutdownRequested"),
    ],
)
def test_an_answer_names_its_message_on_a_line_of_its_own(
    script: ScriptedDaemon, daemon: Daemon, message: Message, name: str
) -> None:
    script.child_output.write(b"stray text without an end")
    daemon.answer(message)
    script.child_output.flush()
    assert script.receive_line() == b"stray text without an end\n"
    assert script.receive() == {"action": "status", "responseFor": name}


@pytest.mark.parametrize("error", [None, "ThrottlingException"])
@pytest.mark.parametrize("place", [("123", 4), (None, None)])
def test_a_checkpoint_is_asked_and_its_answer_is_given_back(
    script: ScriptedDaemon, daemon: Daemon, place: tuple[str | None, int | None], error: str | None
) -> None:
    script.send(
        {"action": "checkpoint", "sequenceNumber": place[0], "subSequenceNumber": place[1], "error": error}
    )
    assert daemon.checkpoint(*place) == error
    asked = script.receive()
    assert asked == {"action": "checkpoint", "sequenceNumber": place[0], "subSequenceNumber": place[1]}


def test_another_message_in_place_of_a_checkpoints_answer_is_an_invalid_state(
    script: ScriptedDaemon, daemon: Daemon
) -> None:
    script.send(SHARD_ENDED)
    assert daemon.checkpoint("1", 0) == "InvalidStateException"


@pytest.mark.parametrize(
    "line",
    [
        b'{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":0,"error":null}\n',
        b'{"action":"danceAround"}\n',
        b'{"action":"processRecords"}\n',
        b'{"action":"processRecords","records":[{"data":"not base64","sequenceNumber":"1"}]}\n',
        b"hello\n",
        b"\n",
    ],
)
def test_a_message_nobody_expects_is_loud(script: ScriptedDaemon, daemon: Daemon, line: bytes) -> None:
    script.send_bytes(line)
    with pytest.raises(msgspec.DecodeError):
        daemon.receive()


@pytest.mark.parametrize("left", [b"", b'{"action":"shardEnded"'])
def test_the_end_of_the_pipe_is_the_daemons_end_even_within_a_line(
    script: ScriptedDaemon, daemon: Daemon, left: bytes
) -> None:
    script.send_bytes(left)
    script.hang_up()
    with pytest.raises(DaemonGone):
        daemon.receive()


@pytest.mark.parametrize(
    "speak",
    [lambda daemon: daemon.answer(ShardEnded()), lambda daemon: daemon.checkpoint("1", 0)],
    ids=["answer", "checkpoint"],
)
def test_a_daemon_that_does_not_listen_any_more_is_gone(
    script: ScriptedDaemon, daemon: Daemon, speak: Callable[[Daemon], object]
) -> None:
    script.stop_listening()
    with pytest.raises(DaemonGone):
        speak(daemon)


def test_a_wait_ends_with_its_time(daemon: Daemon) -> None:
    daemon.wait(0.001)


def test_a_wait_ends_when_somebody_wakes_it(daemon: Daemon, window: Window) -> None:
    window.wake()
    daemon.wait(1_000_000)


def test_a_wait_ends_loudly_when_the_daemon_dies_even_if_somebody_wakes_it_too(
    script: ScriptedDaemon, daemon: Daemon, window: Window
) -> None:
    window.wake()
    script.hang_up()
    with pytest.raises(DaemonGone):
        daemon.wait(1_000_000)


def test_a_checkpoint_whose_answer_never_comes_is_the_daemons_end(
    script: ScriptedDaemon, daemon: Daemon
) -> None:
    script.hang_up()
    with pytest.raises(DaemonGone):
        daemon.checkpoint("1", 0)
