"""Histories that are known to be hard, each for one reason; every store and processor goes through them."""

from collections.abc import Mapping

from tests.conformance.history import Ending, History, Order, Shard, Write

A = Order(lines=(("a", "1"),))
B = Order(total="-5", lines=(("b", "2"), ("a", "2")))
C = Order(status="PAID", code="k1", total="0.01")

HISTORIES: Mapping[str, History] = {
    "a duplicate of a coarser clock than the row, then a late change between the two": History(
        writes=(Write(0, A, 0, "us"), Write(0, B, 100, "us"), Write(0, A, 100, "ms")),
        shards=(Shard((0, 2, 1)),),
    ),
    "a tie settled at the coarser clock, then a late change of the finer one within its tick": History(
        writes=(Write(0, A, 0, "us"), Write(0, B, 100, "us"), Write(0, C, 100, "ms")),
        shards=(Shard((0, 2, 1)),),
    ),
    "an owner that read the source writes what it read after another has gone on": History(
        writes=(Write(0, A, 0, "ms"), Write(0, B, 10, "ms"), Write(0, C, 2_000, "ms")),
        shards=(Shard((0, 1, 2), (Ending(2, "stolen", back=1_000, of_reads=True),)),),
        waits=True,
        batch=1,
    ),
}
