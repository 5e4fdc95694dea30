"""`tidemark validate`: is the settings file good, and what does it say?"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from consumer.settings.context import IndexFacts, SqlFacts, TableFacts, Target
from consumer.settings.document import field_name
from consumer.settings.doubts import doubts
from consumer.settings.duration import format_duration
from consumer.settings.load import locate_settings
from consumer.settings.located import Located
from consumer.settings.model import KinesisSource, OnFailure, Processor, Settings
from consumer.settings.stores import Store, TransactionalStore


def validate(file: Path, *, look_at_aws: bool) -> Iterator[str]:
    """Yield what was understood, in lines for people.

    Raises:
        SettingsError: everything that is wrong, a line each.
        Unavailable: AWS can't be asked now.
    """
    located = locate_settings(file)
    with located.telling():
        aws = asyncio.run(_look_at_aws(located)) if look_at_aws else []
    yield f"{file}: good"
    yield from understood(located.settings)
    for path, doubt in doubts(located.settings):
        yield "warning: " + located.tell(f"{field_name(path)}: {doubt}")
    yield from aws


def understood(settings: Settings) -> Iterator[str]:
    """The settings in sentences: where changes come from, where they go, and how far reading starts."""
    source = settings.source.kinesis
    yield f"  application  {settings.application} (names the lease tables, and the checkpoints in them)"
    yield f"  source       stream {source.stream} of table {source.table}, {_start(source)}"
    yield f"  window       {settings.window.records:,} records or {settings.window.mebibytes} MiB a shard"
    yield f"  checkpoint   every {format_duration(settings.checkpoint_interval)} at most"
    yield f"  undecodable  {_place(settings.delivery.on_failure)}"
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
    delivery = settings.delivery_of(processor)
    what = processor.projection or processor.aggregate
    rows = (
        "sums by group"
        if processor.aggregate
        else "a row per element"
        if what and what.for_each
        else "a row per item"
    )
    yield f"  processor    {processor.name}: {rows} in {_store(processor.store)}"
    for pattern in processor.filters or ():
        yield f"    filter     {pattern}"
    if processor.projection is not None:
        fields = processor.projection.fields
        yield f"    key        {_named(processor.projection.key)}"
        yield f"    row        {'the whole item' if fields is None else _named(fields)}"
    if processor.aggregate is not None:
        yield f"    groups     {_named(processor.aggregate.group_by)}"
        yield f"    sums       {_named(processor.aggregate.add)}"
    if what is not None and what.for_each is not None:
        yield f"    for each   {what.for_each}"
    if what is not None and what.when is not None:
        yield f"    when       {what.when}"
    yield f"    delivery   batches of {delivery.batch_size}, {delivery.parallelization_factor} side by side"
    yield f"    failures   {_place(delivery.on_failure)}"


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {text}" for name, text in expressions.items())


def _store(store: TransactionalStore) -> str:
    if store.dynamodb is not None:
        region = f" in {store.dynamodb.region}" if store.dynamodb.region else ""
        return f"DynamoDB table {store.dynamodb.table}{region}"
    if store.postgresql is not None:
        return f"PostgreSQL table {store.postgresql.table}"
    return (
        f"OpenSearch index {store.opensearch.index}" if isinstance(store, Store) and store.opensearch else ""
    )


def _place(on_failure: OnFailure | None) -> str:
    if on_failure is None:
        return "kept nowhere: a record at fault holds up its item, and its shard once the window is full"
    file = on_failure.file
    return (
        f"to {file.path if file else on_failure.sqs or on_failure.s3}"
        + (f", too large ones to {on_failure.claim_check}" if on_failure.claim_check else "")
        + (f"; {on_failure.sns} is told" if on_failure.sns else "")
    )


async def _look_at_aws(located: Located) -> list[str]:
    # Imported here, since a look at the file alone needs neither boto3 nor the half second it takes.
    from consumer.aws.boto import default_region, endpoint_url  # noqa: PLC0415
    from consumer.pod.preflight import inspect  # noqa: PLC0415
    from consumer.stores.opened import open_stores  # noqa: PLC0415

    settings = located.settings
    async with open_stores(endpoint_url) as stores:
        found = await inspect(settings, stores, default_region())
    return [
        f"AWS: good in {found.source_table.region}",
        f"  stream       {settings.source.kinesis.stream}, keeps records {found.stream_retention_hours} h",
        f"  source       {_table(found.source_table)}, "
        + ("may be read" if found.source_readable else "may not be read: ties can't be settled"),
        *(f"  {name:12} {_target(target)}" for name, target in found.targets.items()),
        *(f"  dead letters {place}" for place in found.letters.told),
        *(f"warning: {located.tell(warning)}" for warning in found.warnings),
    ]


def _target(target: Target) -> str:
    match target:
        case TableFacts():
            return _table(target)
        case SqlFacts():
            return f"PostgreSQL table {target.table}, {len(target.columns)} columns"
        case IndexFacts():
            return f"OpenSearch index {target.index}, read as {target.alias}"


def _table(table: TableFacts) -> str:
    ttl = f"TTL on {table.ttl_attribute}" if table.ttl_attribute else "no TTL"
    return f"table {table.name} in {table.region}, key {', '.join(table.keys)}, {ttl}"
