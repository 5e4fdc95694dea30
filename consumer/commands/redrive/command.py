"""`tidemark redrive`: from the settings to the summary."""

import asyncio
import random
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from consumer.aws.boto import boto_client, default_region, endpoint_url
from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.order import Order
from consumer.commands.redrive.patience import Patience
from consumer.commands.redrive.place import default_place, open_place, place_of
from consumer.commands.redrive.reading import Reader
from consumer.commands.redrive.run import Redrive
from consumer.commands.redrive.s3 import ObjectClaimChecks
from consumer.commands.redrive.screen import Screen, open_screen
from consumer.commands.redrive.source import LetterSource
from consumer.commands.redrive.survey import Survey
from consumer.errors import SettingsError
from consumer.filters.pattern import Filter, Pattern
from consumer.pod.preflight import Inspection, inspect
from consumer.pod.start import context_of
from consumer.processors.base import ProcessorTools
from consumer.processors.build import build_processor
from consumer.settings.load import locate_settings
from consumer.settings.model import Settings
from consumer.stores.opened import Stores, open_stores


@dataclass(frozen=True, slots=True)
class Options:
    """The command line's."""

    config: Path
    place: str | None
    processor: str | None
    out_of_order: bool
    limit: int | None
    dry_run: bool


async def redrive(options: Options, tell: Callable[[str], None]) -> int:
    """Redrive, and tell the summary line by line; gives the exit code.

    Raises:
        SettingsError: something a person has to put right first.
        Unavailable: AWS can't be asked now.
    """
    located = locate_settings(options.config)
    settings = located.settings
    _check(options, settings)
    region = default_region()
    place = place_of(options.place or default_place(settings, options.processor), settings)
    stop = asyncio.Event()
    async with open_stores(endpoint_url) as stores:
        with located.telling():
            inspection = await inspect(settings, stores, region)
        if inspection.models.halted:
            raise SettingsError("\n".join(inspection.models.halted.values()))
        _see_that_they_are_the_pods(settings, inspection.models.changed)
        targets = _targets(settings, stores, inspection, region, stop)
        source = open_place(place, region)
        total = await source.count()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, stop, number)
        with open_screen(
            Console(stderr=True), total if options.limit is None else min(total, options.limit)
        ) as screen:
            ours = {settings.application, *inspection.models.rebuilds}
            code, lines = await _carry_out(options, settings, ours, region, targets, source, stop, screen)
    for line in lines:
        tell(line)
    return code


def _check(options: Options, settings: Settings) -> None:
    name, names = options.processor, [processor.name for processor in settings.processors]
    if name is not None and name not in names:
        raise SettingsError(f"--processor {name}: there is none; there are {', '.join(names)}")
    for processor in settings.processors:
        if processor.name == name and not processor.keeps_state and not options.out_of_order:
            raise SettingsError(
                f"--processor {processor.name} sends events, and redriven ones come later than their items'"
                " other changes; say --out-of-order, if its receivers bear that"
            )


def _see_that_they_are_the_pods(settings: Settings, changed: Collection[str]) -> None:
    """What other settings make of a change is not what stands in the model."""
    for processor in settings.processors:
        if processor.name in changed and not processor.start_here:
            raise SettingsError(
                f"processors.{processor.name} has other settings than application {settings.application!r}"
                " has run with, and its letters are to be applied by those: use the file that the pods have"
            )


def _targets(
    settings: Settings, stores: Stores, inspection: Inspection, region: str, stop: asyncio.Event
) -> dict[str, Target]:
    """The processors, built as a shard process builds them."""
    context = context_of(
        settings,
        inspection,
        worker_id="redrive",
        region=region,
        endpoint_url=endpoint_url,
        first_start_at=time.time(),
    )
    # Ties are settled here as anywhere; nobody counts them.
    tools = ProcessorTools(clock=time.time, uniform=random.random, is_stopping=stop.is_set)
    return {
        processor.name: Target(
            processor.name,
            build_processor(processor, context, stores, tools),
            processor.keeps_state,
            Filter(map(Pattern, processor.filters)) if processor.filters else None,
        )
        for processor in settings.processors
    }


async def _carry_out(
    options: Options,
    settings: Settings,
    ours: Collection[str],
    region: str,
    targets: Mapping[str, Target],
    source: LetterSource,
    stop: asyncio.Event,
    screen: Screen,
) -> tuple[int, Iterator[str]]:
    patience = Patience(stop, random.random, screen.wait)
    claim_checks = ObjectClaimChecks(boto_client("s3", region, attempts=2))
    reader = Reader(ours, claim_checks)
    order = Order(
        table=settings.source.kinesis.table,
        only=options.processor,
        out_of_order=options.out_of_order,
        limit=options.limit,
    )
    if not options.dry_run:
        run = Redrive(source, claim_checks, reader, targets, order, patience, time.time, screen.show)
        tally = await run.run()
        return tally.exit_code, tally.summary()
    survey = Survey(source, reader, targets, order, patience, time.time, screen.show)
    findings = await survey.run()
    return (0 if findings.tally.cut_short is None else 1), findings.summary()


def _stop(stop: asyncio.Event, number: int) -> None:
    """The first one ends in order; another one at once."""
    stop.set()
    asyncio.get_running_loop().remove_signal_handler(number)
