"""What the service's /metrics say, and the figures the demo ends with."""

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

_SAMPLE = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ARRIVAL_TO_SETTLED = "tidemark_arrival_to_settled_seconds_bucket"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of Prometheus' text format."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Counts:
    """The service's own account of its work so far, all shards together."""

    received: int = 0
    outcomes: dict[str, int] | None = None
    in_flight: int = 0
    dead_letters: int = 0
    daemon_restarts: int = 0
    settled_p50: float | None = None
    settled_p99: float | None = None

    @property
    def settled(self) -> int:
        """Records settled, however they ended."""
        return sum((self.outcomes or {}).values())


@dataclass(frozen=True, slots=True)
class Report:
    """The demo's figures. Times in seconds; None where nothing was measured."""

    written: int
    received: int
    settled: int
    stale: int
    rows_expected: int
    rows_matching: int
    rows_differing: int
    tombstones: int
    arrival_to_settled_p50_seconds: float | None
    arrival_to_settled_p99_seconds: float | None
    first_settled_seconds: float | None
    rate_asked: float
    rate_reached: float
    settled_in_time: bool
    drain_seconds: float | None
    dead_letters: int
    daemon_restarts: int
    shards: int

    def as_json(self) -> dict[str, object]:
        """The report's file."""
        return asdict(self)


def read_metrics(text: str) -> Counts:
    """Counts from an answer of /metrics (Prometheus, "Text-based format")."""
    samples = [sample for line in text.splitlines() if (sample := _sample(line)) is not None]
    outcomes: dict[str, int] = {}
    for sample in samples:
        if sample.name == "tidemark_records_settled_total":
            outcome = sample.labels["outcome"]
            outcomes[outcome] = outcomes.get(outcome, 0) + int(sample.value)
    buckets = _buckets(samples)
    return Counts(
        received=_total(samples, "tidemark_records_received_total"),
        outcomes=outcomes,
        in_flight=_total(samples, "tidemark_records_in_flight"),
        dead_letters=_total(samples, "tidemark_dead_letters_total"),
        daemon_restarts=_total(samples, "tidemark_daemon_restarts_total"),
        settled_p50=quantile(buckets, 0.50),
        settled_p99=quantile(buckets, 0.99),
    )


def quantile(buckets: Iterable[tuple[float, float]], share: float) -> float | None:
    """The value that a share of what a histogram counted lies below, interpolated in its bucket.

    As Prometheus' histogram_quantile: what lies beyond the last bound counts as that bound.

    Args:
        buckets: upper bound and cumulative count, in order.
        share: such as 0.99.
    """
    bounds = list(buckets)
    if not bounds or bounds[-1][1] == 0:
        return None
    rank = share * bounds[-1][1]
    lower, below = 0.0, 0.0
    for upper, count in bounds:
        if count >= rank:
            if math.isinf(upper):
                return lower
            return lower + (upper - lower) * (rank - below) / (count - below) if count > below else lower
        lower, below = upper, count
    return lower


def _sample(line: str) -> Sample | None:
    match = _SAMPLE.fullmatch(line)
    if match is None:
        return None
    return Sample(match["name"], dict(_LABEL.findall(match["labels"] or "")), float(match["value"]))


def _total(samples: Iterable[Sample], name: str) -> int:
    return int(sum(sample.value for sample in samples if sample.name == name))


def _buckets(samples: Iterable[Sample]) -> list[tuple[float, float]]:
    """The histogram of all processors together."""
    counts: dict[float, float] = {}
    for sample in samples:
        if sample.name == _ARRIVAL_TO_SETTLED:
            bound = float(sample.labels["le"])
            counts[bound] = counts.get(bound, 0.0) + sample.value
    return sorted(counts.items())
