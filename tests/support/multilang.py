"""The daemon's side of KCL's MultiLang protocol, over real pipes, as a test plays it."""

import base64
import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import orjson

from consumer.record import StreamRecord

Message = dict[str, Any]
_PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class ScriptedDaemon:
    """Both ends of both pipes; a test speaks for the daemon with its methods."""

    child_input: BinaryIO
    child_output: BinaryIO
    _to_child: BinaryIO
    _from_child: BinaryIO
    checkpoints: list[tuple[str | None, int | None]] = field(default_factory=list)
    """What the child asked for, in order."""
    _heard: bytearray = field(default_factory=bytearray)

    def send(self, message: Message) -> None:
        """Send a message."""
        self.send_bytes(orjson.dumps(message) + b"\n")

    def send_bytes(self, line: bytes) -> None:
        self._to_child.write(line)
        self._to_child.flush()

    def receive(self) -> Message:
        """The child's next line that is not empty."""
        return cast("Message", orjson.loads(self.receive_line().strip() or self.receive_line()))

    def receive_line(self) -> bytes:
        """The child's next line, with its end."""
        while b"\n" not in self._heard:
            readable, _, _ = select.select([self._from_child], [], [], _PATIENCE_SECONDS)
            assert readable, "the child says nothing"
            piece = os.read(self._from_child.fileno(), 65_536)
            assert piece, "the child is gone"
            self._heard += piece
        line, _, rest = bytes(self._heard).partition(b"\n")
        self._heard[:] = rest
        return line + b"\n"

    def is_silent(self) -> bool:
        """Whether the child has said nothing since its last line."""
        return not self._heard.strip() and not select.select([self._from_child], [], [], 0)[0]

    def exchange(
        self, message: Message, verdict: Callable[[str | None], str | None] = lambda _: None
    ) -> list[str | None]:
        """Send a message and serve the child until it answers it.

        Returns the sequence numbers it checkpointed.
        """
        self.send(message)
        return self.serve(message["action"], verdict)

    def serve(
        self, action: str, verdict: Callable[[str | None], str | None] = lambda _: None
    ) -> list[str | None]:
        """Serve the child until it answers the action; `verdict` is KCL's, an exception's name or None."""
        asked: list[str | None] = []
        while True:
            said = self.receive()
            if said["action"] == "status":
                assert said == {"action": "status", "responseFor": action}
                return asked
            asked.append(self.settle_checkpoint(said, verdict))

    def settle_checkpoint(
        self, said: Message, verdict: Callable[[str | None], str | None] = lambda _: None
    ) -> str | None:
        """Answer a checkpoint that was received; returns its sequence number."""
        assert said["action"] == "checkpoint"
        number, sub_number = said["sequenceNumber"], said["subSequenceNumber"]
        self.checkpoints.append((number, sub_number))
        answer = {"sequenceNumber": number, "subSequenceNumber": sub_number, "error": verdict(number)}
        self.send({"action": "checkpoint", **answer})
        return cast("str | None", number)

    def hang_up(self) -> None:
        """Close the child's input, as a daemon that dies does."""
        self._to_child.close()

    def stop_listening(self) -> None:
        """Close the child's output."""
        self._from_child.close()


@contextmanager
def scripted_daemon() -> Iterator[ScriptedDaemon]:
    """A daemon over fresh pipes."""
    child_in, to_child = os.pipe()
    from_child, child_out = os.pipe()
    with (
        os.fdopen(child_in, "rb") as child_input,
        os.fdopen(child_out, "wb") as child_output,
        os.fdopen(to_child, "wb") as to_child_file,
        os.fdopen(from_child, "rb") as from_child_file,
    ):
        yield ScriptedDaemon(child_input, child_output, to_child_file, from_child_file)
        with suppress(BrokenPipeError):
            child_output.close()  # what was never flushed may have no reader any more


def initialize(sequence_number: str | None = "TRIM_HORIZON") -> Message:
    return {
        "action": "initialize",
        "shardId": "shardId-000000000000",
        "sequenceNumber": sequence_number,
        "subSequenceNumber": 0,
    }


def process_records(records: Sequence[StreamRecord], millis_behind_latest: int | None = 0) -> Message:
    return {
        "action": "processRecords",
        "records": [
            {
                "action": "record",
                "data": base64.b64encode(record.data).decode(),
                "partitionKey": "0123456789abcdef0123456789abcdef",
                "sequenceNumber": record.sequence_number,
                "subSequenceNumber": record.sub_sequence_number,
                "approximateArrivalTimestamp": record.arrived_at_ms,
            }
            for record in records
        ],
        "millisBehindLatest": millis_behind_latest,
    }


LEASE_LOST: Message = {"action": "leaseLost"}
SHARD_ENDED: Message = {"action": "shardEnded"}
SHUTDOWN_REQUESTED: Message = {"action": "shutdownRequested"}
