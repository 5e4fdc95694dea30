import math

import pytest

from consumer.commands.demo.figures import quantile, read_metrics

METRICS = """\
# HELP tidemark_records_settled_total Records settled, by how they ended.
# TYPE tidemark_records_settled_total counter
tidemark_records_settled_total{outcome="applied",processor="order-view"} 90.0
tidemark_records_settled_total{outcome="stale",processor="order-view"} 10.0
tidemark_records_received_total 104.0
tidemark_records_in_flight{shard="shardId-000000000000"} 3.0
tidemark_records_in_flight{shard="shardId-000000000001"} 1.0
tidemark_arrival_to_settled_seconds_bucket{le="0.1",processor="order-view"} 50.0
tidemark_arrival_to_settled_seconds_bucket{le="0.2",processor="order-view"} 100.0
tidemark_arrival_to_settled_seconds_bucket{le="+Inf",processor="order-view"} 100.0
tidemark_arrival_to_settled_seconds_sum{processor="order-view"} 9.5
tidemark_daemon_restarts_total 1.0
tidemark_dead_letters_total{processor="order-view"} 2.0
"""


def test_the_counts_of_all_shards_and_processors_are_added_up() -> None:
    counts = read_metrics(METRICS)

    assert counts.received == 104
    assert counts.outcomes == {"applied": 90, "stale": 10}
    assert counts.settled == 100
    assert counts.in_flight == 4
    assert (counts.dead_letters, counts.daemon_restarts) == (2, 1)


def test_percentiles_are_interpolated_within_their_bucket() -> None:
    counts = read_metrics(METRICS)

    assert counts.settled_p50 == pytest.approx(0.1)
    assert counts.settled_p99 == pytest.approx(0.198)


def test_metrics_of_a_service_that_has_done_nothing_count_nothing() -> None:
    counts = read_metrics("")

    assert (counts.received, counts.settled, counts.settled_p50) == (0, 0, None)


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ([(1.0, 4.0), (math.inf, 4.0)], 0.5, 0.5),
        ([(1.0, 0.0), (2.0, 4.0), (math.inf, 4.0)], 0.25, 1.25),
        ([(1.0, 1.0), (math.inf, 4.0)], 0.99, 1.0),
        ([(1.0, 0.0), (math.inf, 0.0)], 0.5, None),
        ([], 0.5, None),
    ],
)
def test_a_quantile_is_what_prometheus_would_say(
    buckets: list[tuple[float, float]], share: float, value: float | None
) -> None:
    assert quantile(buckets, share) == value
