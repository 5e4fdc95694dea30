"""What the pod says of itself at /status, and whether it is healthy. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from consumer.pod.adrift import Adrift
from consumer.pod.supervisor import DaemonStatus
from consumer.pod.troubles import troubles
from consumer.status import ShardStatus

SILENT_SECONDS = 30.0
"""A shard process writes its status about once a second, whatever it waits for: one so silent hangs."""


class Totals(msgspec.Struct, frozen=True):
    """Sums over the shard processes that are alive now; /metrics has those of the dead too."""

    shards: int
    records_received: int
    records_settled: int
    records_in_flight: int
    bytes_in_flight: int
    outcomes: dict[str, int]


class PodReport(msgspec.Struct, frozen=True):
    """The document at /status. Times are Unix seconds.

    Attributes:
        waiting_for: what the pod needs before it starts the daemon; None once it has it.
        lag_seconds: the largest of all shards; None where no shard knows its own.
        problems: a sentence for each thing that is not well: what, why, and what to do.
    """

    application: str
    worker: str
    version: str
    now: float
    started_at: float
    ready: bool
    waiting_for: str | None
    daemon: DaemonStatus
    shards: Sequence[ShardStatus]
    totals: Totals
    lag_seconds: float | None
    problems: Sequence[str]


def is_ready(daemon: DaemonStatus, waiting_for: str | None) -> bool:
    """Settings and AWS are checked and the daemon is up; a warm stand-by without a lease is ready."""
    return waiting_for is None and daemon.state == "running"


def health_problems(daemon: DaemonStatus, shards: Sequence[ShardStatus], now: float) -> list[str]:
    """Why the pod should be killed and started anew; idle, waiting for a store, or parked is healthy."""
    problems = [_silence(shard, now) for shard in shards if _is_silent(shard, now)]
    if daemon.state == "stopped":
        problems.insert(0, "the KCL daemon is down and nobody starts it again: restart the pod")
    return problems


def totals(shards: Sequence[ShardStatus]) -> Totals:
    """The shards' sums."""
    outcomes: Counter[str] = Counter()
    for shard in shards:
        for processor in shard.processors:
            outcomes.update(processor.outcomes)
    return Totals(
        shards=len(shards),
        records_received=sum(shard.records_received for shard in shards),
        records_settled=sum(processor.settled for shard in shards for processor in shard.processors),
        records_in_flight=sum(shard.records_in_flight for shard in shards),
        bytes_in_flight=sum(shard.bytes_in_flight for shard in shards),
        outcomes=dict(sorted(outcomes.items())),
    )


def largest_lag(shards: Sequence[ShardStatus], adrift: Mapping[str, float]) -> float | None:
    """Seconds, of shards with a process and those adrift; None where no shard knows its lag."""
    known = [shard.lag_seconds for shard in shards if shard.lag_seconds is not None]
    return max([*known, *adrift.values()], default=None)


def problems(
    daemon: DaemonStatus,
    shards: Sequence[ShardStatus],
    waiting_for: str | None,
    now: float,
    *,
    adrift: Adrift,
    stores: Mapping[str, str],
) -> list[str]:
    """Everything that is not well, unhealthy or not, in sentences for people.

    `stores`: by processor name, what tells its store from others.
    """
    found = health_problems(daemon, shards, now)
    if waiting_for is not None:
        found.append(f"not started yet: {waiting_for}")
    if daemon.state == "restarting":
        found.append(f"the KCL daemon died ({daemon.last_exit}) and is being started again")
    if adrift.why is not None:
        found.append(
            f"KCL's tables can't be reached ({adrift.why}): leases that can't be renewed are let go of,"
            " and taken again by themselves once they can"
        )
    found += [
        f"{shard_id}: let go of, {lag:.0f} s behind by now"
        for shard_id, lag in adrift.lags(shards, now).items()
    ]
    found += troubles([shard for shard in shards if not _is_silent(shard, now)], now, stores)
    return found


def _is_silent(shard: ShardStatus, now: float) -> bool:
    return now - shard.ticked_at > SILENT_SECONDS


def _silence(shard: ShardStatus, now: float) -> str:
    silent = now - shard.ticked_at
    return (
        f"{shard.shard_id}: its process {shard.pid} has been silent for {silent:.0f} s and seems to hang:"
        " restart the pod; nothing is lost by it"
    )
