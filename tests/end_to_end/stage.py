"""What one test plays on: a table, its stream and read model on the shared sandbox, and the settings."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.streams import Precision, create_stream, create_table

KEY = "id"
TTL_ATTRIBUTE = "expiresAt"
VIEW = "view"

IN_A_HURRY: Mapping[str, str] = {
    "failover_time": "2s",
    "lease_assignment_interval": "1s",
    "idle_time_between_reads": "200ms",
    "shard_sync_interval": "1s",
    "parent_shard_poll_interval": "1s",
    "shutdown_grace": "15s",
}
"""KCL's times, as short as they may be."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Names that no other test has; `directory` is the test's own.

    The table's key is `id`, and its changes go into the stream.
    """

    sandbox: SandboxProcess
    aws: Aws
    directory: Path
    application: str
    stream: str
    table: str

    @property
    def view(self) -> str:
        """The read model's table."""
        return self.view_named(VIEW)

    def view_named(self, processor: str) -> str:
        """The table of a processor's read model; made by `add_view`."""
        return f"{self.application}-{processor}"

    def add_view(self, processor: str) -> str:
        """Create the table of a processor's read model, with the same key as the source."""
        create_table(self.aws, self.view_named(processor), stream_arn=None)
        return self.view_named(processor)

    def projection(self, processor: str = VIEW, **settings: object) -> dict[str, object]:
        """A processor: the whole image into its own table, unless `fields` and so on say otherwise."""
        store = {"dynamodb": {"table": self.view_named(processor)}}
        return {
            "name": processor,
            "projection": {"store": store, "key": {KEY: f"keys.{KEY}"}, **settings},
        }

    def write_settings(
        self,
        *processors: Mapping[str, object],
        start: str = "trim_horizon",
        retrieval: str = "polling",
        kcl: Mapping[str, str] | None = None,
        name: str = "tidemark.yaml",
        **settings: object,
    ) -> Path:
        """Write tidemark.yaml (JSON is YAML) with these processors (one projection if none)."""
        source = {"stream": self.stream, "table": self.table, "start": start, "retrieval": retrieval}
        document: dict[str, Any] = {
            "application": self.application,
            "source": {"kinesis": source},
            "checkpoint_interval": "1s",
            "kcl": {**IN_A_HURRY, **(kcl or {})},
            "processors": list(processors) or [self.projection()],
            **settings,
        }
        file = self.directory / name
        file.write_text(json.dumps(document, indent=2), encoding="utf-8")
        return file


def set_stage(
    sandbox: SandboxProcess,
    aws: Aws,
    directory: Path,
    *,
    shards: int = 2,
    precision: Precision = "MICROSECOND",
    expires: bool = False,
) -> Stage:
    """Create the table, its stream and one read model.

    `expires`: the table expires items by `expiresAt`; where no test needs that, the sandbox need not look.
    """
    name = f"e2e-{uuid.uuid4().hex[:12]}"
    stage = Stage(sandbox, aws, directory, application=name, stream=f"{name}-changes", table=f"{name}-items")
    create_table(aws, stage.table, create_stream(aws.kinesis, stage.stream, shards), precision)
    if expires:
        aws.dynamodb.update_time_to_live(
            TableName=stage.table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
        )
    stage.add_view(VIEW)
    return stage
