"""Access to ministack's streams, with AWS's errors for what is not there."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.emulator import Service
from sandbox.kinesis.model import Shard, Stream
from sandbox.wire import RefusedError, Request

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of the request's account and region. `clock` is seconds of the wall clock."""

    kinesis: Service
    clock: Clock

    def of(self, request: Request) -> Stream:
        """Return the stream a request names by StreamName or StreamARN; raises ResourceNotFoundException."""
        name, stream = self.kinesis["_resolve_stream"](request)
        if stream is None:
            raise RefusedError("ResourceNotFoundException", f"Stream {name} under account not found.")
        return self.current(stream)

    def by_arn(self, arn: str) -> Stream:
        """Return the stream of an ARN; raises ResourceNotFoundException."""
        return self.of({"StreamARN": arn})

    def shard(self, stream: Stream, shard_id: str) -> Shard:
        """Return a shard, open or closed; raises ResourceNotFoundException."""
        shard = stream["shards"].get(shard_id)
        if shard is None:
            raise RefusedError(
                "ResourceNotFoundException",
                f"Could not find shard {shard_id} in stream {stream['StreamName']}.",
            )
        return shard

    def current(self, stream: Stream) -> Stream:
        """Return the stream without what its retention has let go of."""
        self.kinesis["_expire_records"](stream)
        return stream
