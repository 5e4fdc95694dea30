"""KCL's MultiLang protocol: one JSON object a line, strictly one message and then its answer.

Source: amazon-kinesis-client-multilang, package software.amazon.kinesis.multilang.messages. kclpy's own loop
is not used: it swallows exceptions and reports success, which loses the batch in silence. One thread owns a
Daemon.
"""

import fcntl
import os
import select
import sys
from contextlib import suppress
from typing import BinaryIO

import msgspec

from consumer.record import StreamRecord

_NEWLINE = ord("\n")
_FIRST_BUFFER_BYTES = 1 << 20
"""Doubled where a message is longer; 2,000 records of a kilobyte take three of them."""

_PIPE_BYTES = 1 << 20
"""Linux gives this much to anybody (pipe(7), "Pipe capacity"); its default is a sixteenth of it."""


class Initialize(msgspec.Struct, tag_field="action", tag="initialize", rename="camel", frozen=True):
    """The shard is ours, from this place on (or a sentinel such as TRIM_HORIZON)."""

    shard_id: str
    sequence_number: str | None = None
    sub_sequence_number: int | None = None


class ProcessRecords(msgspec.Struct, tag_field="action", tag="processRecords", rename="camel", frozen=True):
    """The next records, maybe none."""

    records: list[StreamRecord]
    millis_behind_latest: int | None = None


class LeaseLost(msgspec.Struct, tag_field="action", tag="leaseLost", frozen=True):
    """Another worker has the shard; checkpoints are refused."""


class ShardEnded(msgspec.Struct, tag_field="action", tag="shardEnded", frozen=True):
    """The shard was split or merged and everything in it is delivered; a bare checkpoint is due."""


class ShutdownRequested(msgspec.Struct, tag_field="action", tag="shutdownRequested", frozen=True):
    """The daemon stops; the last chance to checkpoint."""


class CheckpointAnswer(msgspec.Struct, tag_field="action", tag="checkpoint", frozen=True):
    """What KCL said to a checkpoint: the simple name of a Java exception, or None."""

    error: str | None = None


Message = Initialize | ProcessRecords | LeaseLost | ShardEnded | ShutdownRequested

_NAMES = {
    Initialize: "initialize",
    ProcessRecords: "processRecords",
    LeaseLost: "leaseLost",
    ShardEnded: "shardEnded",
    ShutdownRequested: "shutdownRequested",
}
_DECODER: msgspec.json.Decoder[Message | CheckpointAnswer] = msgspec.json.Decoder(Message | CheckpointAnswer)


class DaemonGone(Exception):  # noqa: N818 - what happened, not an error of ours
    """The daemon closed our standard input: it was killed, or is done with us."""


class Daemon:
    """The daemon's end of our standard input and output."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, wake: int) -> None:
        """Speak over two pipes; `wake` is a file descriptor that becomes readable to end a wait early."""
        self._incoming = incoming
        self._outgoing = outgoing
        self._wake = wake
        self._buffer = bytearray(_FIRST_BUFFER_BYTES)
        _widen(incoming.fileno())
        self._poll = select.poll()
        self._poll.register(incoming.fileno(), select.POLLIN | select.POLLHUP)
        self._poll.register(wake, select.POLLIN)

    def receive(self) -> Message:
        """The next message; waits for it.

        Raises:
            DaemonGone: end of file.
            msgspec.DecodeError: a message this version of the protocol doesn't have.
        """
        message = self._receive()
        if isinstance(message, CheckpointAnswer):
            text = "the daemon answered a checkpoint that was not asked for"
            raise msgspec.DecodeError(text)
        return message

    def answer(self, message: Message) -> None:
        """Say that the message is dealt with; the daemon goes on."""
        self._send({"action": "status", "responseFor": _NAMES[type(message)]})

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> str | None:
        """Ask KCL for a checkpoint while a message is unanswered; its exception's simple name, if any."""
        self._send(
            {
                "action": "checkpoint",
                "sequenceNumber": sequence_number,
                "subSequenceNumber": sub_sequence_number,
            }
        )
        reply = self._receive()
        if isinstance(reply, CheckpointAnswer):
            return reply.error
        return "InvalidStateException"

    def wait(self, seconds: float) -> None:
        """Wait with a message unanswered, until the time is over or somebody wakes us.

        Raises:
            DaemonGone: the daemon has nothing to say while it waits for us, so a readable input is its end.
        """
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor != self._wake:
                raise DaemonGone

    def _receive(self) -> Message | CheckpointAnswer:
        line = self._read_message()
        return _DECODER.decode(line)

    def _read_message(self) -> memoryview:
        """One line, in place: nothing follows it before our answer, so its newline is the end of it.

        Reading by BufferedReader.readline costs an eighth more CPU a record (measured).
        """
        size = 0
        while size == 0 or self._buffer[size - 1] != _NEWLINE:
            if size == len(self._buffer):
                self._buffer += bytes(size)
            with memoryview(self._buffer) as view:
                count = os.readv(self._incoming.fileno(), [view[size:]])
            if count == 0:
                raise DaemonGone
            size += count
        return memoryview(self._buffer)[:size]

    def _send(self, message: dict[str, str | int | None]) -> None:
        try:
            self._outgoing.write(b"\n" + msgspec.json.encode(message) + b"\n")
            self._outgoing.flush()
        except BrokenPipeError as error:
            raise DaemonGone from error


def _widen(pipe: int) -> None:
    """Fewer reads a message, and fewer fights with the event loop over the interpreter: 6 % of the CPU.

    A system that doesn't do it is only slower.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
