from collections.abc import Iterator
from typing import SupportsIndex

from sandbox.kinesis.expiry import drop_before
from sandbox.kinesis.model import Record, Shard, Stream


class CountingList(list[Record]):
    """A list that counts how many of its elements are looked at one by one."""

    looked_at = 0

    def __getitem__(self, index: SupportsIndex) -> Record:  # type: ignore[override]  # no slices are asked for
        self.looked_at += 1
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[Record]:
        self.looked_at += len(self)
        return super().__iter__()


def record(time: float) -> Record:
    return {
        "SequenceNumber": f"{time:056.0f}",
        "ApproximateArrivalTimestamp": time,
        "Data": "",
        "PartitionKey": "k",
    }


def stream(records: list[Record], closed_at: float | None = None) -> Stream:
    shard: Shard = {
        "records": records,
        "starting_hash_key": "0",
        "ending_hash_key": "1",
        "starting_sequence_number": "1",
        "parent_shard_id": None,
        "adjacent_parent_shard_id": None,
        "ending_sequence_number": None,
        "opened_at": 0.0,
        "closed_at": closed_at,
    }
    return {
        "StreamName": "orders",
        "StreamARN": "arn",
        "StreamStatus": "ACTIVE",
        "RetentionPeriodHours": 24,
        "shards": {"shardId-000000000000": shard},
    }


def test_expiry_looks_at_one_record_however_deep_the_shard() -> None:
    records = CountingList(record(1000.0) for _ in range(10_000))
    drop_before(stream(records), 1000.0)
    assert len(records) == 10_000
    assert records.looked_at == 1


def test_expiry_drops_what_arrived_before_and_nothing_else() -> None:
    records = [record(time) for time in (1.0, 2.0, 3.0)]
    drop_before(stream(records), 2.0)
    assert [one["ApproximateArrivalTimestamp"] for one in records] == [2.0, 3.0]


def test_a_closed_shard_goes_when_its_last_record_could_have_expired() -> None:
    kept, gone = stream([record(5.0)], closed_at=5.0), stream([record(4.0)], closed_at=4.9)
    for one in (kept, gone):
        drop_before(one, 5.0)
    assert list(kept["shards"]) == ["shardId-000000000000"]
    assert list(gone["shards"]) == []
