import pytest

from checkpoint.leases import AtTimestamp, TrimHorizon
from consumer.pod.start import start_position
from tests.unit.pod.conftest import make_settings


@pytest.mark.parametrize(
    ("start", "position"),
    [
        ("trim_horizon", TrimHorizon()),
        ("latest", AtTimestamp(1_700_000_000)),
        ("2026-01-31T00:00:00Z", AtTimestamp(1_769_817_600)),
        ("2026-01-31T00:00:00.900+01:00", AtTimestamp(1_769_814_000)),
    ],
)
def test_latest_is_the_time_of_the_first_start_and_times_are_rounded_down(
    start: str, position: TrimHorizon | AtTimestamp
) -> None:
    source = {"kinesis": {"stream": "changes", "table": "orders", "start": start}}

    assert start_position(make_settings(source=source), first_start_at=1_700_000_000.9) == position
