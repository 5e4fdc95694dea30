"""When a shard was last caught up: never later than it is known, and never by a clock that was wrong."""

from checkpoint.positions import ShardPosition
from consumer.shard.bookkeeping import Books

NOW = 1_800_000_000.0


def books(caught_up_at: float | None, *, replay: bool = False) -> Books:
    row = ShardPosition("shardId-0", {}, caught_up_at, ("200", 0))
    return Books("shardId-0", row, parked=None, replay=replay)


def hear_the_end(kept: Books, accepted: int, *, until: float) -> None:
    """As many messages as KCL may have fetched ahead, a second apart."""
    for second in range(6):
        kept.heard(until - 5 + second, 0, accepted)


def test_a_shard_is_caught_up_as_of_the_oldest_message_that_may_have_been_fetched_ahead() -> None:
    kept = books(None)
    hear_the_end(kept, 3, until=NOW)
    kept.settled(2)
    assert kept.caught_up_at is None
    kept.settled(3)
    assert kept.caught_up_at == NOW - 5


def test_a_time_told_by_a_clock_that_was_ahead_is_forgotten_at_the_next_one() -> None:
    kept = books(NOW + 365 * 86_400)
    hear_the_end(kept, 0, until=NOW)
    kept.settled(0)
    assert kept.caught_up_at == NOW - 5


def test_a_shard_that_is_replayed_is_caught_up_only_once_it_has_been_again() -> None:
    assert books(NOW, replay=True).caught_up_at is None
    assert books(NOW).caught_up_at == NOW
