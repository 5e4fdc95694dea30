"""Splits and merges, as an operator makes them, and which shard comes from which."""

from tests.end_to_end.stage import Stage
from tests.integration.streams import shards_of


def split(stage: Stage, shard_id: str) -> frozenset[str]:
    """Split a shard in the middle of its hash keys; returns its children."""
    before = shards_of(stage.aws.kinesis, stage.stream)
    hash_keys = before[shard_id]["HashKeyRange"]
    middle = (int(hash_keys["StartingHashKey"]) + int(hash_keys["EndingHashKey"])) // 2
    stage.aws.kinesis.split_shard(
        StreamName=stage.stream, ShardToSplit=shard_id, NewStartingHashKey=str(middle)
    )
    return frozenset(shards_of(stage.aws.kinesis, stage.stream)) - frozenset(before)


def merge(stage: Stage, shard_id: str, adjacent: str) -> str:
    """Merge two shards that lie beside each other; returns their child."""
    before = shards_of(stage.aws.kinesis, stage.stream)
    stage.aws.kinesis.merge_shards(
        StreamName=stage.stream, ShardToMerge=shard_id, AdjacentShardToMerge=adjacent
    )
    (child,) = frozenset(shards_of(stage.aws.kinesis, stage.stream)) - frozenset(before)
    return child


def open_shards(stage: Stage) -> list[str]:
    """Shards that still take records, by id."""
    shards = shards_of(stage.aws.kinesis, stage.stream)
    return sorted(
        shard_id
        for shard_id, shard in shards.items()
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    )


def parents_of(stage: Stage) -> dict[str, frozenset[str]]:
    """Each listed shard's parents: none, one (a split) or two (a merge)."""
    return {
        shard_id: frozenset(
            parent for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")) if parent
        )
        for shard_id, shard in shards_of(stage.aws.kinesis, stage.stream).items()
    }
