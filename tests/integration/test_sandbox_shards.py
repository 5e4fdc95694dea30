"""AWS: Kinesis developer guide, "Reshard a stream"; API reference, "ShardFilter", "UpdateShardCount"."""

import pytest
from botocore.exceptions import ClientError

from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.integration.streams import FIRST_SHARD, create_stream, read_shard, shards_of

MIDDLE = str(2**127)
QUARTER = str(2**126)


def put(aws: Aws, stream: str, count: int) -> dict[str, list[bytes]]:
    """Put records of different keys; return what went to each shard."""
    placed: dict[str, list[bytes]] = {}
    for index in range(count):
        data = f"record {index}".encode()
        answer = aws.kinesis.put_record(StreamName=stream, PartitionKey=str(index), Data=data)
        placed.setdefault(answer["ShardId"], []).append(data)
    return placed


def split(aws: Aws, stream: str, shard: str = FIRST_SHARD, at: str = MIDDLE) -> None:
    aws.kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=at)


def listed(aws: Aws, stream: str, **shard_filter: object) -> list[int]:
    """Return the indices of the shards that a filter lists."""
    # The filter's type is a literal in boto3's stubs; here it is the case of the test.
    answer = aws.kinesis.list_shards(StreamName=stream, ShardFilter=shard_filter)  # type: ignore[arg-type]
    return [int(shard["ShardId"][-12:]) for shard in answer["Shards"]]


def test_a_split_shard_keeps_its_unread_records(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix)
    placed = put(aws, prefix, 10)
    split(aws, prefix)
    assert [record["Data"] for record in read_shard(aws.kinesis, prefix).records] == placed[FIRST_SHARD]


def test_the_end_of_a_split_shard_names_each_child_with_its_parent_and_range(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix)
    put(aws, prefix, 3)
    split(aws, prefix)
    end = read_shard(aws.kinesis, prefix).last
    assert end.get("NextShardIterator") is None
    assert end["ChildShards"] == [
        {
            "ShardId": "shardId-000000000001",
            "ParentShards": [FIRST_SHARD],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**127 - 1)},
        },
        {
            "ShardId": "shardId-000000000002",
            "ParentShards": [FIRST_SHARD],
            "HashKeyRange": {"StartingHashKey": MIDDLE, "EndingHashKey": str(2**128 - 1)},
        },
    ]


def test_the_end_of_a_merged_shard_names_the_child_with_both_parents(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix, 2)
    both = [FIRST_SHARD, "shardId-000000000001"]
    aws.kinesis.merge_shards(StreamName=prefix, ShardToMerge=both[0], AdjacentShardToMerge=both[1])
    for parent in both:
        assert read_shard(aws.kinesis, prefix, parent).last["ChildShards"] == [
            {
                "ShardId": "shardId-000000000002",
                "ParentShards": both,
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
            }
        ]


def test_an_iterator_from_before_a_split_reads_on_to_the_shards_end(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix)
    latest = aws.kinesis.get_shard_iterator(
        StreamName=prefix, ShardId=FIRST_SHARD, ShardIteratorType="LATEST"
    )["ShardIterator"]
    placed = put(aws, prefix, 2)
    split(aws, prefix)
    answer = aws.kinesis.get_records(ShardIterator=latest)
    assert [record["Data"] for record in answer["Records"]] == placed[FIRST_SHARD]
    assert len(answer["ChildShards"]) == 2


def test_sequence_numbers_grow_from_parent_to_child(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix)
    before = aws.kinesis.put_record(StreamName=prefix, PartitionKey="k", Data=b"1")["SequenceNumber"]
    split(aws, prefix)
    after = aws.kinesis.put_record(StreamName=prefix, PartitionKey="k", Data=b"2")["SequenceNumber"]
    shards = shards_of(aws.kinesis, prefix)
    parent = shards.pop(FIRST_SHARD)["SequenceNumberRange"]
    assert int(parent["StartingSequenceNumber"]) < int(before) < int(parent["EndingSequenceNumber"])
    for child in shards.values():
        assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
        assert int(parent["EndingSequenceNumber"]) < int(
            child["SequenceNumberRange"]["StartingSequenceNumber"]
        )
        assert int(child["SequenceNumberRange"]["StartingSequenceNumber"]) < int(after)


def test_descriptions_name_parents_and_count_open_shards(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix, 2)
    aws.kinesis.merge_shards(
        StreamName=prefix, ShardToMerge=FIRST_SHARD, AdjacentShardToMerge="shardId-000000000001"
    )
    described = aws.kinesis.describe_stream(StreamName=prefix)["StreamDescription"]["Shards"]
    assert described == list(shards_of(aws.kinesis, prefix).values())
    assert described[2]["ParentShardId"] == FIRST_SHARD
    assert described[2]["AdjacentParentShardId"] == "shardId-000000000001"
    summary = aws.kinesis.describe_stream_summary(StreamName=prefix)["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 1


def test_a_closed_shard_takes_no_records_and_is_not_split_again(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix)
    split(aws, prefix)
    assert FIRST_SHARD not in put(aws, prefix, 10)
    with pytest.raises(ClientError, match="already been merged or split"):
        split(aws, prefix, at=QUARTER)


def test_shards_that_are_not_neighbours_do_not_merge(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix, 3)
    with pytest.raises(ClientError, match="not an adjacent pair"):
        aws.kinesis.merge_shards(
            StreamName=prefix, ShardToMerge=FIRST_SHARD, AdjacentShardToMerge="shardId-000000000002"
        )


@pytest.mark.parametrize(("count", "target"), [(1, 2), (2, 1), (2, 3), (3, 2), (4, 8), (5, 3), (2, 2)])
def test_update_shard_count_covers_all_keys_evenly_and_keeps_every_record(
    aws: Aws, prefix: str, count: int, target: int
) -> None:
    create_stream(aws.kinesis, prefix, count)
    placed = put(aws, prefix, 20)
    answer = aws.kinesis.update_shard_count(
        StreamName=prefix, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
    )
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (count, target)
    ranges = sorted(
        (int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
        for shard in aws.kinesis.list_shards(StreamName=prefix, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    )
    starts = [index * (2**128 // target) for index in range(target)]
    assert ranges == list(zip(starts, [*(start - 1 for start in starts[1:]), 2**128 - 1], strict=True))
    kept = {shard: read_shard(aws.kinesis, prefix, shard).records for shard in placed}
    assert {shard: [record["Data"] for record in records] for shard, records in kept.items()} == placed


def test_each_filter_lists_the_shards_aws_documents(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix, 2)  # 0 and 1
    first = aws.kinesis.put_record(StreamName=prefix, PartitionKey="k", Data=b"")
    before = read_shard(aws.kinesis, prefix, first["ShardId"]).records[0]["ApproximateArrivalTimestamp"]
    split(aws, prefix, at=QUARTER)  # 0 -> 2 and 3
    aws.kinesis.put_record(StreamName=prefix, PartitionKey="k", ExplicitHashKey="0", Data=b"")
    between = read_shard(aws.kinesis, prefix, "shardId-000000000002").records[0][
        "ApproximateArrivalTimestamp"
    ]
    aws.kinesis.merge_shards(
        StreamName=prefix, ShardToMerge="shardId-000000000003", AdjacentShardToMerge="shardId-000000000001"
    )  # 3 and 1 -> 4
    assert listed(aws, prefix, Type="AT_TRIM_HORIZON") == [0, 1]
    assert listed(aws, prefix, Type="FROM_TRIM_HORIZON") == [0, 1, 2, 3, 4]
    assert listed(aws, prefix, Type="AT_LATEST") == [2, 4]
    assert listed(aws, prefix, Type="AT_TIMESTAMP", Timestamp=before) == [0, 1]
    assert listed(aws, prefix, Type="AT_TIMESTAMP", Timestamp=between) == [1, 2, 3]
    assert listed(aws, prefix, Type="AT_TIMESTAMP", Timestamp=0) == [0, 1]
    assert listed(aws, prefix, Type="FROM_TIMESTAMP", Timestamp=between) == [1, 2, 3, 4]
    assert listed(aws, prefix, Type="AFTER_SHARD_ID", ShardId="shardId-000000000002") == [3, 4]


def test_pages_go_through_every_shard_once_and_remember_the_filter(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix, 5)
    split(aws, prefix, at="1")
    pages = [
        aws.kinesis.list_shards(StreamName=prefix, MaxResults=2, ShardFilter={"Type": "AT_LATEST"}),
    ]
    while "NextToken" in pages[-1]:
        pages.append(aws.kinesis.list_shards(NextToken=pages[-1]["NextToken"], MaxResults=2))
    assert [[int(shard["ShardId"][-12:]) for shard in page["Shards"]] for page in pages] == [
        [1, 2],
        [3, 4],
        [5, 6],
    ]
    with pytest.raises(ClientError, match="cannot be provided together"):
        aws.kinesis.list_shards(NextToken=pages[0]["NextToken"], StreamName=prefix)


def test_trimming_drops_the_oldest_records_and_shards_closed_before(
    aws: Aws, sandbox: SandboxProcess, prefix: str
) -> None:
    create_stream(aws.kinesis, prefix)
    put(aws, prefix, 5)
    numbers = [record["SequenceNumber"] for record in read_shard(aws.kinesis, prefix).records]
    assert sandbox.trim(prefix, before=numbers[2]) == 2
    assert [record["SequenceNumber"] for record in read_shard(aws.kinesis, prefix).records] == numbers[2:]
    split(aws, prefix)
    assert sandbox.trim(prefix) == 3
    assert listed(aws, prefix, Type="AT_TRIM_HORIZON") == [1, 2]
    assert listed(aws, prefix, Type="FROM_TRIM_HORIZON") == [1, 2]


def test_a_number_that_was_trimmed_quietly_starts_at_the_oldest_kept(
    aws: Aws, sandbox: SandboxProcess, prefix: str
) -> None:
    create_stream(aws.kinesis, prefix)
    put(aws, prefix, 4)
    numbers = [record["SequenceNumber"] for record in read_shard(aws.kinesis, prefix).records]
    sandbox.trim(prefix, shard=FIRST_SHARD, before=numbers[2])
    iterator = aws.kinesis.get_shard_iterator(
        StreamName=prefix,
        ShardId=FIRST_SHARD,
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=numbers[0],
    )["ShardIterator"]
    assert aws.kinesis.get_records(ShardIterator=iterator)["Records"][0]["SequenceNumber"] == numbers[2]


def test_an_iterator_keeps_its_place_when_older_records_are_trimmed(
    aws: Aws, sandbox: SandboxProcess, prefix: str
) -> None:
    create_stream(aws.kinesis, prefix)
    put(aws, prefix, 4)
    numbers = [record["SequenceNumber"] for record in read_shard(aws.kinesis, prefix).records]
    start = aws.kinesis.get_shard_iterator(
        StreamName=prefix, ShardId=FIRST_SHARD, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    following = aws.kinesis.get_records(ShardIterator=start, Limit=3)["NextShardIterator"]
    sandbox.trim(prefix, before=numbers[2])
    left = aws.kinesis.get_records(ShardIterator=following)["Records"]
    assert [record["SequenceNumber"] for record in left] == numbers[3:]


@pytest.mark.parametrize(
    ("kind", "index", "expected"),
    [("AT_SEQUENCE_NUMBER", 1, [1, 2]), ("AFTER_SEQUENCE_NUMBER", 1, [2]), ("AFTER_SEQUENCE_NUMBER", 2, [])],
)
def test_iterators_start_at_and_after_a_number(
    aws: Aws, prefix: str, kind: str, index: int, expected: list[int]
) -> None:
    create_stream(aws.kinesis, prefix)
    put(aws, prefix, 3)
    numbers = [record["SequenceNumber"] for record in read_shard(aws.kinesis, prefix).records]
    iterator = aws.kinesis.get_shard_iterator(
        StreamName=prefix,
        ShardId=FIRST_SHARD,
        ShardIteratorType=kind,  # type: ignore[arg-type]  # a literal in boto3's stubs, a parameter here
        StartingSequenceNumber=numbers[index],
    )["ShardIterator"]
    found = aws.kinesis.get_records(ShardIterator=iterator)["Records"]
    assert [numbers.index(record["SequenceNumber"]) for record in found] == expected


def test_an_answer_says_how_far_it_is_behind(aws: Aws, prefix: str) -> None:
    create_stream(aws.kinesis, prefix)
    put(aws, prefix, 2)
    start = aws.kinesis.get_shard_iterator(
        StreamName=prefix, ShardId=FIRST_SHARD, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    first = aws.kinesis.get_records(ShardIterator=start, Limit=1)
    assert first["MillisBehindLatest"] > 0
    assert aws.kinesis.get_records(ShardIterator=first["NextShardIterator"])["MillisBehindLatest"] == 0
