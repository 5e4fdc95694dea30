"""Histories that are known to be hard, each for one reason; every processor goes through them."""

from collections.abc import Mapping

from tests.conformance.history import Ending, History, Order, Shard, Write

A = Order(lines=(("a", "1"),))
B = Order(total="-5", lines=(("b", "2"), ("a", "2")))
C = Order(status="PAID", code="k1", total="0.01")


def _left_behind(step: int) -> History:
    """The first owner of the lease takes one more step than this, long after it was lost."""
    endings = (Ending(step, "stolen", back=1_000, lingers=1),)
    return History(
        writes=(Write(0, A, 0), Write(0, B, 1_000), Write(0, C, 1_000)),
        shards=(Shard((0, 1, 2), endings),),
        batch=1,
    )


HISTORIES: Mapping[str, History] = {
    "a duplicate of a coarser clock than the row, then a late change between the two": History(
        writes=(Write(0, A, 0, "us"), Write(0, B, 100, "us"), Write(0, A, 100, "ms")),
        shards=(Shard((0, 2, 1)),),
    ),
    "a tie settled at the coarser clock, then a late change of the finer one within its tick": History(
        writes=(Write(0, A, 0, "us"), Write(0, B, 100, "us"), Write(0, C, 100, "ms")),
        shards=(Shard((0, 2, 1)),),
    ),
    "a row of a coarser clock, settled for a finer change of its tick, then one of between": History(
        writes=(Write(0, A, 0, "ms"), Write(0, B, 100, "us"), Write(0, C, 100, "us")),
        shards=(Shard((0, 2, 1)),),
        batch=1,
    ),
    "a late change of a coarser clock within the tick of the row": History(
        writes=(Write(0, A, 0, "ms"), Write(0, B, 500, "us")),
        shards=(Shard((1, 0)),),
    ),
    "an owner that read the source writes what it read after another has gone on": History(
        writes=(Write(0, A, 0, "ms"), Write(0, B, 10, "ms"), Write(0, C, 2_000, "ms")),
        shards=(Shard((0, 1, 2), (Ending(2, "stolen", back=1_000, of_reads=True),)),),
        waits=True,
        batch=1,
    ),
    "an expiry that is told before the other changes of its tick": History(
        writes=(Write(0, A, 0), Write(0, B, 1_000), Write(0, None, 0, by_ttl=True), Write(1, A, 0)),
        shards=(Shard((2, 0, 1, 3)),),
    ),
    **{f"an owner that lost its lease goes on at step {step}": _left_behind(step) for step in range(1, 11)},
}
