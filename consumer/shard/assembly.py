"""Settings -> one shard's record path: its lanes, their processors, filters and dead letters."""

import random
import time
from collections.abc import Callable
from operator import attrgetter

from consumer.errors import Unavailable
from consumer.filters.pattern import Filter, Pattern
from consumer.log import Logger
from consumer.metrics import Metrics
from consumer.processors.base import ProcessorTools
from consumer.processors.build import BuildProcessor
from consumer.settings.context import ShardContext
from consumer.settings.model import Delivery
from consumer.settings.model import Processor as ProcessorSettings
from consumer.shard.above import SumsAbove
from consumer.shard.brake import Brake
from consumer.shard.deadletter.letter import DeadLetters, Origin
from consumer.shard.deadletter.logged import LoggedDeadLetters
from consumer.shard.deadletter.places import DeadLetterPlaces
from consumer.shard.lanes import LanePolicy, Lanes, LaneTools, Settle
from consumer.shard.lanes.coalescing import StandsAlone
from consumer.shard.path import DECODING, RecordPath
from consumer.shard.window import Window
from consumer.stores.opened import Stores


class Assembly:
    """What a shard's record path is made of."""

    def __init__(
        self,
        context: ShardContext,
        stores: Stores,
        metrics: Metrics,
        window: Window,
        log: Logger,
        build: BuildProcessor,
        *,
        is_stopping: Callable[[], bool],
    ) -> None:
        """`is_stopping`: from then on processors begin no write."""
        self._context = context
        self._stores = stores
        self._metrics = metrics
        self._window = window
        self._log = log
        self._build = build
        self._is_stopping = is_stopping
        self.brakes: dict[str, Brake] = {}
        """Of each processor, once `path` was called."""

    def path(self, shard_id: str) -> RecordPath:
        """The shard's record path, with the lanes of every processor; in a running event loop."""
        settings = self._context.settings
        origin = Origin(settings.application, settings.source.kinesis.stream, shard_id)
        places = DeadLetterPlaces(origin, self._context.region, self._notice_failed)

        def logged(delivery: Delivery) -> DeadLetters:
            return LoggedDeadLetters(places.of(delivery), origin, self._log)

        by_name = {processor.name: processor for processor in settings.processors}
        return RecordPath(
            table=settings.source.kinesis.table,
            processors=tuple(by_name),
            lanes=lambda name, settle: self._lanes(
                by_name[name], settle, logged(settings.delivery_of(by_name[name]))
            ),
            dead_letters=logged(settings.delivery),
            window=self._window,
            metrics=self._metrics,
            uniform=random.random,
            filters={name: Filter(map(Pattern, own.filters)) for name, own in by_name.items() if own.filters},
        )

    def _lanes(self, processor: ProcessorSettings, settle: Settle, dead_letters: DeadLetters) -> Lanes:
        name, metrics = processor.name, self._metrics
        delivery = self._context.settings.delivery_of(processor)
        return Lanes(
            name,
            self._braked(processor),
            LanePolicy(
                lanes=delivery.parallelization_factor,
                batch_size=delivery.batch_size,
                coalesces=processor.keeps_state,
                stands_alone=_stands_alone(processor),
                batching_window=delivery.maximum_batching_window,
                maximum_retry_attempts=delivery.maximum_retry_attempts,
                maximum_record_age=delivery.maximum_record_age,
                bisects=delivery.bisect_batch_on_function_error,
                pauses_on_rejected_run=delivery.on_rejected_run == "pause",
            ),
            dead_letters,
            settle,
            LaneTools(
                clock=time.time,
                uniform=random.random,
                log=self._log,
                on_retry=metrics.retries.labels(name).inc,
                on_dead_letter=metrics.dead_letters.labels(name).inc,
                on_dead_letter_failure=metrics.dead_letter_failures.labels(name).inc,
                on_rejected_run=metrics.rejected_runs.labels(name).inc,
            ),
        )

    def _braked(self, processor: ProcessorSettings) -> Brake:
        """A processor whose settings may not be used is not made: its model was made by others."""
        name = processor.name
        made = None
        if name not in self._context.halted:
            made = self._build(processor, self._context, self._stores, self._tools_of(name))
        brake = self.brakes[name] = Brake(made, is_stopping=self._is_stopping)
        return brake

    def _tools_of(self, name: str) -> ProcessorTools:
        metrics = self._metrics
        return ProcessorTools(
            clock=time.time,
            uniform=random.random,
            on_tie=metrics.version_ties.labels(name).inc,
            is_stopping=self._is_stopping,
            on_conflict=metrics.write_conflicts.labels(name).inc,
            on_above=SumsAbove(
                name,
                lambda sum_name: metrics.sums_above.labels(name, sum_name).inc(),
                self._log,
                time.monotonic,
            ).tell,
        )

    def _notice_failed(self, processor: str | None, error: Unavailable) -> None:
        self._metrics.dead_letter_notice_failures.labels(processor or DECODING).inc()
        self._log.warning("nobody was told of a dead letter", processor=processor, error=str(error))


def _stands_alone(processor: ProcessorSettings) -> StandsAlone | None:
    """An expiry that is kept counts what its own old image did, not what was before the first of a run."""
    keeps_expired = processor.aggregate is not None and processor.aggregate.on_expiry == "keep"
    return attrgetter("is_expiry") if keeps_expired else None
