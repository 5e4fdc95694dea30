"""All that must be there before the daemon starts: checked, made, and told to the shard processes."""

import time
from collections.abc import Callable
from datetime import datetime

from checkpoint.leases import AtTimestamp, Start, TrimHorizon, create_tables, has_begun, read_leases, seed
from checkpoint.positions import Positions, changed_processors
from consumer.errors import SettingsError, Unavailable
from consumer.log import Logger
from consumer.pod.letters import try_files
from consumer.pod.models import Models
from consumer.pod.preflight import Inspection, inspect
from consumer.pod.targets.make import make_targets
from consumer.processors.base import fingerprint
from consumer.settings.context import Endpoint, ShardContext, TableFacts
from consumer.settings.document import field_name
from consumer.settings.doubts import doubts
from consumer.settings.model import Settings
from consumer.stores.opened import Stores


async def prepare(
    settings: Settings,
    stores: Stores,
    *,
    worker_id: str,
    region: str,
    endpoint_url: Callable[[str, str], str],
    log: Logger,
    clock: Callable[[], float] = time.time,
) -> ShardContext:
    """Check the settings against AWS, make the application's tables and what targets lack, seed its leases.

    Raises:
        SettingsError: something a person has to put right.
        Unavailable: AWS can't be asked now; all of it may be done again.
    """
    try_files(settings)
    inspection = await inspect(settings, stores, region)
    told = (f"{field_name(path)}: {doubt}" for path, doubt in doubts(settings))
    for warning in (*told, *inspection.warnings):
        log.warning(warning)
    application, stream = settings.application, settings.source.kinesis.stream
    dynamodb = stores.aws.client("dynamodb", region)
    positions = Positions(dynamodb, application)
    await positions.create()
    await create_tables(dynamodb, application)
    running = has_begun(await read_leases(dynamodb, application))
    await _accept_source(settings, positions, running=running)
    await _accept_processors(settings, positions, inspection.models, running=running)
    first_start_at = await positions.first_start(clock())
    await make_targets(
        settings,
        stores,
        inspection.source_table,
        inspection.targets,
        has_run=running,
        past=inspection.models.past,
    )
    start = start_position(settings, first_start_at)
    report = await seed(dynamodb, stores.aws.client("kinesis", region), application, stream, start)
    log.info("leases seeded", written=report.written, moved=report.moved, reason=report.reason)
    return context_of(
        settings,
        inspection,
        worker_id=worker_id,
        region=region,
        endpoint_url=endpoint_url,
        first_start_at=first_start_at,
    )


def context_of(
    settings: Settings,
    inspection: Inspection,
    *,
    worker_id: str,
    region: str,
    endpoint_url: Callable[[str, str], str],
    first_start_at: float,
) -> ShardContext:
    """What processors are built with: the settings, and what was found in AWS."""
    return ShardContext(
        settings=settings,
        worker_id=worker_id,
        region=region,
        endpoints=_endpoints(region, _regions(inspection), endpoint_url),
        source_table=inspection.source_table,
        source_readable=inspection.source_readable,
        targets=dict(inspection.targets),
        stream_retention_hours=inspection.stream_retention_hours,
        dead_letter_retention_seconds=inspection.letters.retention_seconds,
        first_start_at=first_start_at,
        generations=dict(inspection.models.generations),
        halted=dict(inspection.models.halted),
    )


def _regions(inspection: Inspection) -> set[str]:
    return {target.region for target in inspection.targets.values() if isinstance(target, TableFacts)}


def start_position(settings: Settings, first_start_at: float) -> Start:
    """Where shards without a checkpoint are read from; `latest` is the time of the application's first start.

    Whole seconds, rounded down: a second too early is a repeat, a second too late is a loss.
    """
    start = settings.source.kinesis.start
    if isinstance(start, datetime):
        return AtTimestamp(int(start.timestamp()))
    return AtTimestamp(int(first_start_at)) if start == "latest" else TrimHorizon()


async def _accept_source(settings: Settings, positions: Positions, *, running: bool) -> None:
    """Keep where the changes come from: what is settled of one source says nothing of another."""
    source = settings.source.kinesis
    known = await positions.read_source()
    if running and known is not None and known != (source.stream, source.table):
        raise SettingsError(
            f"source.kinesis: application {settings.application!r} has run on table {known[1]!r} of stream"
            f" {known[0]!r}, and what it has settled is not settled of table {source.table!r} of stream"
            f" {source.stream!r}; give that an `application` of its own, or set these back"
        )
    if known != (source.stream, source.table):
        await positions.write_source(source.stream, source.table)


async def _accept_processors(
    settings: Settings, positions: Positions, models: Models, *, running: bool
) -> None:
    """Keep what processors there are; one that is new or changed has missed what was settled without it.

    One that is halted is no longer the settings' affair: what its model was made by stays.
    """
    known = models.known
    fingerprints = {
        processor.name: (known or {})[processor.name]
        if processor.name in models.halted and processor.name in (known or {})
        else fingerprint(processor)
        for processor in settings.processors
    }
    changes = changed_processors(known, fingerprints)
    starting_here = {processor.name for processor in settings.processors if processor.start_here}
    refused = [(name, "is new") for name in changes.new if name not in starting_here]
    refused += [(name, "has changed settings") for name in changes.changed if name not in starting_here]
    if running and refused:
        raise SettingsError("\n".join(_refusal(settings.application, *entry) for entry in refused))
    if known != fingerprints and not await positions.write_processors(fingerprints, known):
        message = f"another pod of {settings.application!r}, or a cut-over, changed its processors just now"
        raise Unavailable(message, code="ProcessorsChanged")


def _refusal(application: str, name: str, what: str) -> str:
    way = (
        "Give it an application of its own (another `application`, from `start: trim_horizon` on)."
        if what == "is new"
        else f"Run `tidemark rebuild --processor {name}` with these settings, then `tidemark cutover`."
    )
    return (
        f"processors.{name} {what}, and application {application!r} has run without it: its target would lack"
        f" all changes settled so far. {way} Or set `start_here: true` on it, if changes from here on are"
        " enough"
    )


def _endpoints(
    region: str, target_regions: set[str], endpoint_url: Callable[[str, str], str]
) -> tuple[Endpoint, ...]:
    kinesis = Endpoint(service="kinesis", region=region, url=endpoint_url("kinesis", region))
    return (
        kinesis,
        *(
            Endpoint(service="dynamodb", region=name, url=endpoint_url("dynamodb", name))
            for name in sorted({region} | target_regions)
        ),
    )
