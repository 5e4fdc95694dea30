"""`tidemark validate`: is the settings file good, and what does it say?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from consumer.settings.duration import format_duration
from consumer.settings.load import load_settings
from consumer.settings.model import KinesisSource, Processor, Settings


def validate(file: Path, *, look_at_aws: bool) -> Iterator[str]:
    """Yield what was understood, in lines for people.

    Raises:
        SettingsError: everything that is wrong, a line each.
    """
    settings = load_settings(file)
    yield f"{file}: good"
    yield from understood(settings)


def understood(settings: Settings) -> Iterator[str]:
    """The settings in sentences: where changes come from, where they go, and how far reading starts."""
    source = settings.source.kinesis
    yield f"  application  {settings.application} (names the lease tables, and the checkpoints in them)"
    yield f"  source       stream {source.stream} of table {source.table}, {_start(source)}"
    yield f"  window       {settings.window.records:,} records or {settings.window.mebibytes} MiB a shard"
    yield f"  checkpoint   every {format_duration(settings.checkpoint_interval)} at most"
    for processor in settings.processors:
        yield from _processor(settings, processor)


def _start(source: KinesisSource) -> str:
    if isinstance(source.start, datetime):
        return f"from {source.start.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC on"
    return {
        "trim_horizon": "from the oldest change it still holds on",
        "latest": "from the time of the application's first start on",
    }[source.start]


def _processor(settings: Settings, processor: Processor) -> Iterator[str]:
    projection = processor.projection
    store = projection.store.dynamodb
    key = ", ".join(f"{name} = {text}" for name, text in projection.key.items())
    fields = projection.fields
    content = (
        "the whole item" if fields is None else ", ".join(f"{name} = {text}" for name, text in fields.items())
    )
    delivery = settings.delivery_of(processor)
    yield f"  processor    {processor.name}: a row per item in DynamoDB table {store.table}" + (
        f" in {store.region}" if store.region else ""
    )
    yield f"    key        {key}"
    yield f"    row        {content}"
    if projection.when is not None:
        yield f"    when       {projection.when}"
    yield f"    delivery   batches of {delivery.batch_size}, {delivery.parallelization_factor} side by side"
    letters = (
        f"to {delivery.on_failure.file}" if delivery.on_failure else "none: a record at fault stops its shard"
    )
    yield f"    failures   {letters}"
