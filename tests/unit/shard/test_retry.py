import pytest

from consumer.shard.retry import Backoff


@pytest.mark.parametrize(
    ("tries", "longest"), [(1, 0.1), (2, 0.2), (3, 0.4), (8, 12.8), (9, 25.6), (10, 30.0), (10_000, 30.0)]
)
def test_waits_double_up_to_the_longest(tries: int, longest: float) -> None:
    assert Backoff().delay(tries, 1.0) == pytest.approx(longest)


@pytest.mark.parametrize("uniform", [0.0, 0.25, 0.999])
def test_jitter_spreads_a_wait_over_its_whole_length(uniform: float) -> None:
    assert Backoff(first_seconds=2.0, longest_seconds=60.0).delay(3, uniform) == pytest.approx(8.0 * uniform)
