"""What a fault is. Pure."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

RequestKind = Literal["down", "throttle", "fail", "delay", "lose_answer", "reject", "conflict"]
RecordKind = Literal["duplicate", "swap", "coarse_clock"]
RECORD_KINDS: frozenset[str] = frozenset({"duplicate", "swap", "coarse_clock"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, from when it is added until it is removed or its seconds are over.

    Kinds that strike requests:
      down         503 without a body, and the connection is closed
      throttle     the service's own error for too many requests, HTTP 400
      fail         the service's own internal error, HTTP 500
      delay        the answer comes after `delay_seconds`; other faults apply besides
      lose_answer  the request is carried out, then answered as by `fail`
      reject       ValidationException, HTTP 400
      conflict     as of another transaction on the first of the items: DynamoDB's writes and transactions
    Kinds that strike records on their way from a table into a Kinesis stream (`service` is not looked at):
      duplicate    delivered twice, the second `delay_seconds` later (0.05 where it is 0)
      swap         changes places with the next record of its shard; let go after 0.2 s if none comes
      coarse_clock its creation time is rounded down to `delay_seconds`, so that many writes tie

    `service`: "dynamodb", "kinesis", "dynamodbstreams", "sqs", "sns", "s3", "events", "monitoring".
    `operation`: as AWS writes it ("PutItem"); None for all. `resource`: a name or a glob of a table, stream,
    queue, topic, bus or bucket; None for all. A request that names several is struck if one matches, as a
    whole. `rate`: the share of what it could strike that it strikes. `seconds`: it ends by itself.
    """

    kind: RequestKind | RecordKind
    service: str
    operation: str | None = None
    resource: str | None = None
    rate: float = 1.0
    delay_seconds: float = 0.0
    seconds: float | None = None

    def concerns(self, service: str, operation: str) -> bool:
        """Whether it strikes requests of this operation."""
        return (
            self.kind not in RECORD_KINDS
            and self.service == service
            and (self.operation is None or self.operation == operation)
        )

    def matches(self, resources: frozenset[str]) -> bool:
        """Whether it strikes what has one of these names."""
        return self.resource is None or any(fnmatchcase(name, self.resource) for name in resources)
