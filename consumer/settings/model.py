"""tidemark.yaml: every setting, its default and what is allowed."""

from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from consumer.filters.json_text import write
from consumer.settings.base import Model, TableName
from consumer.settings.duration import Between
from consumer.settings.stores import Store, TransactionalStore

ApplicationName = Annotated[
    str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,236}$", description="3 to 236 letters, digits, `_`, `.` or `-`")
]
"""Names the lease table, so a legal table name; KCL appends `-WorkerMetricStats` (19) for its own tables."""

StreamName = Annotated[
    str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,128}$", description="1 to 128 letters, digits, `_`, `.` or `-`")
]
"""A legal stream name (Amazon Kinesis Data Streams API Reference, CreateStream)."""

ProcessorName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="1 to 63 lower-case letters, digits or `-`, with a letter or digit first",
    ),
]


class KinesisSource(Model):
    """A Kinesis data stream that is the table's streaming destination."""

    stream: StreamName
    table: TableName
    start: Literal["trim_horizon", "latest"] | AwareDatetime = "trim_horizon"
    retrieval: Literal["polling", "fan_out"] = "polling"


class Source(Model):
    """Where the changes come from."""

    kinesis: KinesisSource


QueueUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[^\s]+/[A-Za-z0-9_-]{1,80}(\.fifo)?$",
        description="the URL of an SQS queue, such as "
        "`https://sqs.us-east-1.amazonaws.com/123456789012/letters`",
    ),
]

S3Uri = Annotated[
    str,
    Field(
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?$",
        description="a bucket (3 to 63 lower-case letters, digits, `.` or `-`) and a prefix, "
        "such as `s3://bucket/prefix`",
    ),
]

TopicArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$",
        description="the ARN of an SNS topic, such as `arn:aws:sns:us-east-1:123456789012:letters`",
    ),
]


class DeadLetterFile(Model):
    """Dead letters as JSON lines, one file a shard process.

    `durable: true` is a person's word that the path is on a volume that outlives the container.
    """

    path: Annotated[str, Field(pattern=r"^/.*[^/]$", description="the absolute path of a file")]
    durable: Literal[True]


class OnFailure(Model):
    """Where a record goes that can't be applied: to exactly one of `sqs`, `s3` and `file`.

    `claim_check`: where a letter goes that is larger than the queue takes, the queue then holding a pointer.
    `sns`: told of each letter that is kept.
    """

    sqs: QueueUrl | None = None
    s3: S3Uri | None = None
    file: DeadLetterFile | None = None
    claim_check: S3Uri | None = None
    sns: TopicArn | None = None

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        places = [name for name in ("sqs", "s3", "file") if getattr(self, name) is not None]
        if len(places) != 1:
            given = " and ".join(f"`{name}`" for name in places) or "none of them"
            raise ValueError(f"dead letters go to exactly one of `sqs`, `s3` and `file`, not to {given}")
        if self.claim_check is not None and self.sqs is None:
            raise ValueError("`claim_check` is for `sqs` only: the others take a letter of any size")
        return self


class Delivery(Model):
    """How records are handed to a processor; the names are those of a Lambda event source mapping."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    maximum_batching_window: Annotated[float, Between("0s", "300s")] = 0.0
    parallelization_factor: Annotated[int, Field(ge=1, le=64)] = 8
    maximum_retry_attempts: Annotated[int, Field(ge=-1, le=10_000)] = 5
    maximum_record_age: Annotated[float, Between("60s", "365d")] | None = None
    bisect_batch_on_function_error: bool = True
    on_rejected_run: Literal["pause", "dead_letter"] = "pause"
    on_failure: OnFailure | None = None

    @field_validator("on_failure", mode="before")
    @classmethod
    def _is_not_empty(cls, given: object) -> object:
        """An empty one would keep no dead letters, in silence."""
        if given is None:
            raise ValueError("is empty: name a place (`sqs`, `s3` or `file`), or take it out")
        return given


class Window(Model):
    """How much a shard process holds that is delivered but not settled; full means that KCL waits."""

    records: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    mebibytes: Annotated[int, Field(ge=1, le=1024)] = 16


class Kcl(Model):
    """What of the Kinesis Client Library's own configuration is worth a setting; names are KCL's."""

    max_records: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    idle_time_between_reads: Annotated[float, Between("200ms", "60s")] = 0.5
    failover_time: Annotated[float, Between("1s", "300s")] = 10.0
    lease_assignment_interval: Annotated[float, Between("1s", "600s")] = 1.0
    """KCL's default is twice the failover time: then a start takes 36 s and a take-over 63 s (measured)."""
    shard_sync_interval: Annotated[float, Between("1s", "600s")] = 60.0
    parent_shard_poll_interval: Annotated[float, Between("200ms", "600s")] = 10.0
    shutdown_grace: Annotated[float, Between("1s", "600s")] = 20.0


class Projection(Model):
    """A read model: a row per item, or per element of `for_each`.

    `key` and `fields` are JMESPath over `{keys, new, old, event}`, and `{item, index}` under `for_each`; no
    `fields`: the whole image.
    """

    store: Store
    key: Annotated[dict[str, str], Field(min_length=1, max_length=8)]
    fields: Annotated[dict[str, str], Field(min_length=1)] | None = None
    when: str | None = None
    for_each: str | None = None
    adopt: bool = False
    key_wait: Annotated[float, Between("0s", "60s")] = 60.0


class Aggregate(Model):
    """Sums of what each item contributes now, a row per group.

    `group_by` and `add` are JMESPath over `{keys, new}`, and `{item, index}` under `for_each`. `warn_above`:
    for a sum, the number in its row that it should not be above.
    """

    store: TransactionalStore
    group_by: Annotated[dict[str, str], Field(min_length=1, max_length=8)]
    add: Annotated[dict[str, str], Field(min_length=1)]
    when: str | None = None
    for_each: str | None = None
    on_expiry: Literal["remove", "keep"] | None = None
    warn_above: Annotated[dict[str, str], Field(min_length=1)] | None = None


def _pattern_text(value: object) -> object:
    return write(value) if isinstance(value, dict) else value


PatternText = Annotated[
    str,
    BeforeValidator(_pattern_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": True},
                {"type": "string", "description": "its JSON text"},
            ]
        }
    ),
]
"""An event pattern, a mapping or its JSON text; kept as text, so that numbers stay as they are written."""


KINDS = ("projection", "aggregate")


class Processor(Model):
    """One processor: its name and exactly one kind.

    `filters`: event patterns, any of which may match; what matches none is not the processor's.
    """

    name: ProcessorName
    filters: Annotated[tuple[PatternText, ...], Field(min_length=1)] | None = None
    projection: Projection | None = None
    aggregate: Aggregate | None = None
    delivery: Delivery | None = None
    start_here: bool = False

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            named = " and ".join(f"`{name}`" for name in given) or "none of them"
            raise ValueError(f"a processor is one of `projection` and `aggregate`, not {named}")
        return self

    @property
    def kind(self) -> str:
        """Which of KINDS it is."""
        return next(name for name in KINDS if getattr(self, name) is not None)

    @property
    def store(self) -> TransactionalStore:
        """Where its target is."""
        kind = self.projection or self.aggregate
        if kind is None:
            raise ValueError("a processor without a kind")
        return kind.store

    @property
    def ledger_name(self) -> str | None:
        """The ledger's DynamoDB table; aggregates that share a table have one each."""
        table = self.store.dynamodb
        if table is None or table.ledger is not None:
            return table.ledger if table is not None else None
        return f"{table.table}-ledger" if self.aggregate is None else f"{table.table}-{self.name}-ledger"

    @property
    def keeps_state(self) -> bool:
        """Whether its target is made equal to the source, rather than told of each change."""
        return True  # both kinds do


class Settings(Model):
    """A whole tidemark.yaml."""

    application: ApplicationName
    source: Source
    delivery: Delivery = Delivery()
    window: Window = Window()
    checkpoint_interval: Annotated[float, Between("100ms", "300s")] = 5.0
    on_trimmed: Literal["park", "continue"] = "park"
    kcl: Kcl = Kcl()
    processors: Annotated[tuple[Processor, ...], Field(min_length=1)]

    @field_validator("processors", mode="after")
    @classmethod
    def _names_are_unique(cls, processors: tuple[Processor, ...]) -> tuple[Processor, ...]:
        names = [processor.name for processor in processors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"the name {twice[0]!r} is given twice; frontiers and metrics are kept by name"
            raise ValueError(message)
        return processors

    def delivery_of(self, processor: Processor) -> Delivery:
        """The file's delivery settings, with what the processor sets itself in their place.

        The file's maximum_record_age is for events only.
        """
        own = processor.delivery
        update = {} if own is None else {name: getattr(own, name) for name in own.model_fields_set}
        if processor.keeps_state:
            update["maximum_record_age"] = None
        return self.delivery.model_copy(update=update)
