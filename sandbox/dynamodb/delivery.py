"""The way of a record into a Kinesis stream, on which faults may repeat it or swap it with another.

AWS ("Using Kinesis Data Streams to capture changes to DynamoDB"): records may appear more than once, and in a
different order than the changes. Without a fault each arrives once, in order, at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.faults.fault import Fault

REPEAT_SECONDS = 0.05  # how much later the second of two comes, where the fault does not say
HELD_SECONDS = 0.2  # how long a record waits for a neighbour to change places with

Later = Callable[[float, Callable[[], None]], object]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Puts records, through the faults that struck them.

    `shard_of` names the shard of a stream (ARN) and partition key; `put` puts a record; `later` calls back
    after seconds.
    """

    shard_of: Callable[[str, str], str]
    put: Callable[[str, str, bytes], object]
    later: Later
    _held: dict[tuple[str, str], Callable[[], None]] = field(default_factory=dict)

    def deliver(self, stream_arn: str, partition_key: str, data: bytes, struck: list[Fault]) -> None:
        """Deliver a record."""

        def put() -> None:
            self.put(stream_arn, partition_key, data)

        for fault in struck:
            if fault.kind == "duplicate":
                self.later(fault.delay_seconds or REPEAT_SECONDS, put)
        place = (stream_arn, self.shard_of(stream_arn, partition_key))
        neighbour = self._held.pop(place, None)
        if neighbour is not None:
            put()
            neighbour()
        elif any(fault.kind == "swap" for fault in struck):
            self._held[place] = put
            self.later(HELD_SECONDS, lambda: self._let_go(place, put))
        else:
            put()

    def _let_go(self, place: tuple[str, str], put: Callable[[], None]) -> None:
        if self._held.get(place) is put:
            del self._held[place]
            put()
