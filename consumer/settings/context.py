"""What the pod found out at start and hands to each shard process, as one file in the run directory.

A shard process asks AWS for none of this, and does not read the settings file.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from consumer.settings.model import Settings

RUN_DIRECTORY_VARIABLE = "TIDEMARK_RUN_DIR"
"""Environment variable through which the daemon's children find the run directory."""


class TableFacts(BaseModel):
    """What a DynamoDB table is: learnt from DescribeTable and DescribeTimeToLive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    region: str
    partition_key: str
    sort_key: str | None = None
    ttl_attribute: str | None = None
    key_types: dict[str, Literal["S", "N", "B"]]
    ledger: str | None = None
    """The table beside it that says what each item has there, where rows alone do not."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The key attributes' names, the partition key first."""
        return (self.partition_key,) if self.sort_key is None else (self.partition_key, self.sort_key)


class SqlFacts(BaseModel):
    """What a PostgreSQL table is: learnt from its catalog."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    """As in the settings: `table` or `schema.table`; its ledger is `<table>_tidemark`."""
    columns: dict[str, str]
    """Every column that is written, to its type as PostgreSQL prints it."""
    fingerprint: str
    """Of the processor's settings; the ledger carries the same, or it is somebody else's."""


class IndexFacts(BaseModel):
    """What an OpenSearch read model is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: str
    """The index that is written to."""
    alias: str
    """The filtered alias that readers use."""


Target = TableFacts | SqlFacts | IndexFacts


class Endpoint(BaseModel):
    """A service's address in a region."""

    model_config = ConfigDict(frozen=True)

    service: Literal["dynamodb", "kinesis"]
    region: str
    url: str


class ShardContext(BaseModel):
    """The contents of `context.json` in the run directory."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    worker_id: str
    region: str
    endpoints: tuple[Endpoint, ...]
    source_table: TableFacts
    source_readable: bool
    targets: dict[str, Target]
    """By processor name."""
    stream_retention_hours: int
    dead_letter_retention_seconds: int = 0
    """The longest of the queues'; 0 where letters go elsewhere."""
    first_start_at: float
    """Unix seconds of the application's first start, from the positions table."""
    generations: dict[str, int] = {}
    """How often each processor was cut over to a new model, where it was, by its name; -1: it is just now."""
    halted: dict[str, str] = {}
    """Processors that write nothing, and why: their model was made by other settings, or is being swapped."""

    @property
    def tombstone_seconds(self) -> float:
        """How long a change may come late: by the stream, or out of a dead letter queue."""
        return max(self.stream_retention_hours * 3600.0, float(self.dead_letter_retention_seconds))

    def generation_of(self, processor: str) -> int:
        """Which model of the processor's `targets` names: 0 is the settings' own."""
        return self.generations.get(processor, 0)

    def endpoint(self, service: str, region: str | None = None) -> Endpoint:
        """The address of a service in a region (default: the application's own)."""
        wanted = region or self.region
        return next(entry for entry in self.endpoints if (entry.service, entry.region) == (service, wanted))


def context_file(run_directory: Path) -> Path:
    """Where the pod writes the context and a shard process reads it."""
    return run_directory / "context.json"


def write_context(run_directory: Path, context: ShardContext) -> None:
    """Write the context for the shard processes to come."""
    # What is not set stays so: a processor's `delivery` overrides the file's only in what it sets.
    context_file(run_directory).write_text(context.model_dump_json(exclude_unset=True), encoding="utf-8")


def read_context(run_directory: Path) -> ShardContext:
    """Read what the pod wrote; raises pydantic's error if the file is not its own."""
    return ShardContext.model_validate_json(context_file(run_directory).read_text(encoding="utf-8"))
