from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.dynamodb.delivery import HELD_SECONDS, REPEAT_SECONDS, Delivery
from sandbox.faults.fault import Fault

SWAP = Fault("swap", "kinesis")
DUPLICATE = Fault("duplicate", "kinesis")


@dataclass(slots=True)
class Stage:
    """A delivery whose shards are the first letters of the partition keys, and whose time stands still."""

    put: list[bytes] = field(default_factory=list)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    delivery: Delivery = field(init=False)

    def __post_init__(self) -> None:
        self.delivery = Delivery(
            shard_of=lambda _arn, key: key[0],
            put=lambda _arn, _key, data: self.put.append(data),
            later=lambda seconds, callback: self.later.append((seconds, callback)),
        )

    def deliver(self, data: bytes, *struck: Fault, key: str = "k") -> None:
        self.delivery.deliver("arn", key, data, list(struck))

    def pass_time(self) -> list[float]:
        """Call all that waits, and return how long it waited."""
        waiting, self.later[:] = list(self.later), []
        for _, callback in waiting:
            callback()
        return [seconds for seconds, _ in waiting]


def test_without_a_fault_a_record_arrives_once_at_once() -> None:
    stage = Stage()
    stage.deliver(b"1")
    assert (stage.put, stage.later) == ([b"1"], [])


def test_a_duplicate_comes_later_again() -> None:
    stage = Stage()
    stage.deliver(b"1", DUPLICATE)
    stage.deliver(b"2")
    assert stage.put == [b"1", b"2"]
    assert stage.pass_time() == [REPEAT_SECONDS]
    assert stage.put == [b"1", b"2", b"1"]


def test_a_swapped_record_comes_after_the_next_of_its_shard() -> None:
    stage = Stage()
    stage.deliver(b"1", SWAP)
    stage.deliver(b"other shard", key="x")
    stage.deliver(b"2", SWAP)
    assert stage.put == [b"other shard", b"2", b"1"]
    stage.pass_time()
    assert stage.put == [b"other shard", b"2", b"1"]


def test_a_held_record_without_a_neighbour_is_let_go() -> None:
    stage = Stage()
    stage.deliver(b"1", SWAP)
    assert stage.put == []
    assert stage.pass_time() == [HELD_SECONDS]
    assert stage.put == [b"1"]


def test_a_record_held_after_another_was_swapped_waits_its_own_time() -> None:
    stage = Stage()
    stage.deliver(b"1", SWAP)
    stage.deliver(b"2")
    first, stage.later[:] = list(stage.later), []
    stage.deliver(b"3", SWAP)
    for _, callback in first:
        callback()
    assert stage.put == [b"2", b"1"]
    stage.pass_time()
    assert stage.put == [b"2", b"1", b"3"]
