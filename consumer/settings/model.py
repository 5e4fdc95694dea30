"""tidemark.yaml: every setting, its default and what is allowed."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consumer.settings.duration import Duration

TableName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$")]
"""A legal DynamoDB table name (DynamoDB Developer Guide, Naming rules)."""

ApplicationName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,236}$")]
"""Names the lease table, so a legal table name; KCL appends `-WorkerMetricStats` (19) for its own tables."""

ProcessorName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Model(BaseModel):
    """Settings are values: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KinesisSource(Model):
    """A Kinesis data stream that is the table's streaming destination."""

    stream: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,128}$")]
    table: TableName
    start: Literal["trim_horizon", "latest"] | datetime = "trim_horizon"
    retrieval: Literal["polling", "fan_out"] = "polling"

    @model_validator(mode="after")
    def _start_names_its_zone(self) -> Self:
        if isinstance(self.start, datetime) and self.start.tzinfo is None:
            message = "start: a time needs its zone, such as 2026-01-31T00:00:00Z"
            raise ValueError(message)
        return self


class Source(Model):
    """Where the changes come from."""

    kinesis: KinesisSource


class FileDeadLetter(Model):
    """Dead letters as JSON lines in a file on a durable volume, one file a shard process."""

    file: str


class Delivery(Model):
    """How records are handed to a processor."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    parallelization_factor: Annotated[int, Field(ge=1, le=64)] = 8
    on_failure: FileDeadLetter | None = None


class Window(Model):
    """How much a shard process holds that is delivered but not settled; full means that KCL waits."""

    records: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    mebibytes: Annotated[int, Field(ge=1, le=1024)] = 16


class Kcl(Model):
    """What of the Kinesis Client Library's own configuration is worth a setting; names are KCL's."""

    max_records: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    idle_time_between_reads: Annotated[Duration, Field(ge=0.2, le=60)] = 1.0
    failover_time: Annotated[Duration, Field(ge=1, le=300)] = 10.0
    lease_assignment_interval: Annotated[Duration, Field(ge=1, le=600)] | None = None
    shard_sync_interval: Annotated[Duration, Field(ge=1, le=600)] = 60.0
    parent_shard_poll_interval: Annotated[Duration, Field(ge=0.2, le=600)] = 10.0
    shutdown_grace: Annotated[Duration, Field(ge=1, le=600)] = 20.0


class DynamoDBTable(Model):
    """A DynamoDB table as a store."""

    table: TableName
    region: str | None = None


class DynamoDBStore(Model):
    """The DynamoDB store."""

    dynamodb: DynamoDBTable


class Projection(Model):
    """A read model: a row per item. `key` and `fields` are JMESPath over `{keys, new}`; no `fields`: the whole image."""

    store: DynamoDBStore
    key: Annotated[dict[str, str], Field(min_length=1, max_length=2)]
    fields: Annotated[dict[str, str], Field(min_length=1)] | None = None
    when: str | None = None
    adopt: bool = False


class Processor(Model):
    """One processor: its name and exactly one kind."""

    name: ProcessorName
    projection: Projection
    delivery: Delivery | None = None
    start_here: bool = False


class Settings(Model):
    """A whole tidemark.yaml."""

    application: ApplicationName
    source: Source
    delivery: Delivery = Delivery()
    window: Window = Window()
    checkpoint_interval: Annotated[Duration, Field(ge=0.1, le=300)] = 5.0
    on_trimmed: Literal["park", "continue"] = "park"
    kcl: Kcl = Kcl()
    processors: Annotated[tuple[Processor, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [processor.name for processor in self.processors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"processors: the name {twice[0]!r} is given twice; frontiers and metrics are kept by name"
            raise ValueError(message)
        return self

    def delivery_of(self, processor: Processor) -> Delivery:
        """The processor's own delivery settings where it has them, else the file's."""
        return processor.delivery or self.delivery
