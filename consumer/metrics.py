"""Every metric of the service, in one table; the only door to prometheus_client.

Shard processes write theirs into files: prometheus_client's multiprocess mode, which PROMETHEUS_MULTIPROC_DIR
turns on when the library is imported. The pod merges the files at each scrape and adds its own few figures.
Counters and histograms of a dead process are kept, its gauges go: so nothing that counts up carries a shard's
name, and a shard's series go with its lease.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

METRICS_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own environment variable: the pod sets it for its shard processes, never for itself."""

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# Below a second finely, where the aim is; up to five minutes, for an outage.
_SETTLE_MILLISECONDS = (
    5,
    10,
    25,
    50,
    75,
    100,
    150,
    200,
    300,
    400,
    500,
    750,
    1_000,
    1_500,
    2_000,
    3_000,
    5_000,
)
_SETTLE_SECONDS = (
    *(milliseconds / 1000 for milliseconds in _SETTLE_MILLISECONDS),
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
_LAG_HELP = "Age of the oldest unsettled record, or how far behind the stream's end KCL reads."
_GAUGE_FILE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


class Metrics:
    """What a shard process reports; make one per process, after the environment is set.

    Labels: `shard` a shard id, `processor` a processor's name, `outcome` how it ended (applied, stale, ...),
    `sum` an aggregate's, `error` KCL's exception name, `action` park or continue.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        counter = partial(Counter, namespace="tidemark", registry=registry)
        gauge = partial(
            Gauge,
            namespace="tidemark",
            registry=registry,
            multiprocess_mode="livemostrecent",
            labelnames=["shard"],
        )
        by_processor = ["processor"]

        self.records_received = counter("records_received", "Records KCL handed over, repeats among them.")
        self.records_settled = counter(
            "records_settled", "Records settled, by how they ended.", labelnames=["processor", "outcome"]
        )
        self.arrival_to_settled_seconds = Histogram(
            "arrival_to_settled_seconds",
            "From a record's arrival in the stream until it was settled.",
            namespace="tidemark",
            registry=registry,
            labelnames=by_processor,
            buckets=_SETTLE_SECONDS,
        )
        self.retries = counter("retries", "Deliveries tried again.", labelnames=by_processor)
        self.version_ties = counter(
            "version_ties", "Changes of equal version settled by reading the source.", labelnames=by_processor
        )
        self.write_conflicts = counter(
            "write_conflicts",
            "Writes that another writer's came in the way of; each is tried again.",
            labelnames=by_processor,
        )
        self.sums_above = counter(
            "sums_above",
            "Sums written that were above the number they should not be above.",
            labelnames=["processor", "sum"],
        )
        self.dead_letters = counter(
            "dead_letters", "Records put whole into the dead letter.", labelnames=by_processor
        )
        self.dead_letter_failures = counter(
            "dead_letter_failures",
            "Dead letters that could not be written; each is tried again.",
            labelnames=by_processor,
        )
        self.dead_letter_notice_failures = counter(
            "dead_letter_notice_failures",
            "Dead letters that were kept, but whose notice could not be sent.",
            labelnames=by_processor,
        )
        self.rejected_runs = counter(
            "rejected_runs",
            "Times so many records in a row were rejected that the store itself was taken for wrong.",
            labelnames=by_processor,
        )
        self.checkpoint_failures = counter(
            "checkpoint_failures", "Checkpoints KCL refused.", labelnames=["error"]
        )
        self.trimmed = counter(
            "trimmed",
            "Starts at a position the stream no longer held: data may be missing.",
            labelnames=["action"],
        )

        self.lag_seconds = gauge("lag_seconds", _LAG_HELP)
        self.retention_used_ratio = gauge(
            "retention_used_ratio", "Lag as a part of the stream's retention; 1 is loss."
        )
        self.checkpoint_age_seconds = gauge(
            "checkpoint_age_seconds", "Since the last checkpoint KCL accepted."
        )
        self.records_in_flight = gauge("records_in_flight", "Records received and not yet settled.")


@dataclass(frozen=True, slots=True)
class PodMetrics:
    """What the pod itself reports: plain figures, so that the environment can't turn them into files.

    Attributes:
        daemon_restarts: since the pod's start.
        shards_owned: shard processes alive now.
        version: Tidemark's.
        lags: seconds by shard, of shards no process is left to report.
    """

    daemon_restarts: int
    shards_owned: int
    version: str
    lags: Mapping[str, float] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        """The figures as prometheus_client wants them of a collector."""
        yield CounterMetricFamily(
            "tidemark_daemon_restarts",
            "Times the KCL daemon died and was started again.",
            value=self.daemon_restarts,
        )
        yield GaugeMetricFamily(
            "tidemark_shards_owned", "Shards this pod is working on.", value=self.shards_owned
        )
        build = GaugeMetricFamily(
            "tidemark_build_info", "Always 1; the label says which Tidemark.", labels=["version"]
        )
        build.add_metric([self.version], 1)
        yield build
        lags = GaugeMetricFamily("tidemark_lag_seconds", _LAG_HELP, labels=["shard"])
        for shard, lag in self.lags.items():
            lags.add_metric([shard], lag)
        yield lags


@dataclass(frozen=True, slots=True, eq=False)  # the registry wants it hashable, a mapping of lags is not
class _Merged:
    """The shard processes' figures and the pod's, each name and each series once, as the format demands.

    A process that has just died may still be among the shard processes': its figure is the one told.
    """

    files: tuple[str, ...]
    pod: PodMetrics

    def collect(self) -> Iterator[Metric]:
        shards: Iterable[Metric] = MultiProcessCollector.merge(self.files)  # type: ignore[no-untyped-call]  # untyped in the library
        families = {family.name: family for family in shards}
        for own in self.pod.collect():
            family = families.setdefault(own.name, own)
            told = [sample.labels for sample in family.samples]
            family.samples += [sample for sample in own.samples if sample.labels not in told]
        yield from families.values()


def observe_counted(histogram: Histogram, counts: Mapping[float, int]) -> None:
    """Observe each value as often as it was counted: a shard process settles records by the hundred."""
    bounds = histogram._upper_bounds  # noqa: SLF001 - the library has no bulk form
    for value, count in counts.items():
        histogram._buckets[bisect_left(bounds, value)].inc(count)  # noqa: SLF001 - the same
        histogram._sum.inc(value * count)  # noqa: SLF001 - the same


def metrics_directory(run_directory: Path) -> Path:
    """Where the shard processes of a run directory keep their figures."""
    return run_directory / "metrics"


def expose(run_directory: Path, pod: PodMetrics) -> bytes:
    """All figures of the pod and its shard processes, in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry()
    files = metrics_directory(run_directory).glob("*.db")
    registry.register(_Merged(tuple(str(file) for file in files if _has_begun(file)), pod))
    return generate_latest(registry)


def _has_begun(file: Path) -> bool:
    """Whether it can be read: the library makes a file before it gives it a size, or dies between the two."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False  # a dead process's gauges, forgotten this moment


def forget_dead_processes(run_directory: Path, is_alive: Callable[[int], bool]) -> None:
    """Drop the gauges of processes that are gone; what they counted stays."""
    directory = metrics_directory(run_directory)
    names = (_GAUGE_FILE.fullmatch(path.name) for path in directory.glob("gauge_*.db"))
    for pid in {int(name[1]) for name in names if name is not None}:
        if not is_alive(pid):
            mark_process_dead(pid, path=str(directory))  # type: ignore[no-untyped-call]  # untyped in the library
