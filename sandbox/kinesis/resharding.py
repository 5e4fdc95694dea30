"""Split, merge and UpdateShardCount, with closed parents that keep their records.

The gap: ministack drops the parent with its unread records, and UpdateShardCount drops them all. AWS ("After
resharding"): a parent is closed, keeps its records until they expire, has an EndingSequenceNumber, and its
children name it. UpdateShardCount does what it does by splits and merges; its limits (twice, half, times a
day) are not kept here. A reshard is done at once: a stream is never UPDATING. A ministack that closes shards
lets this go.
"""

from dataclasses import dataclass

from sandbox.emulator import Service
from sandbox.kinesis.model import MAXIMUM_HASH_KEY, Shard, Stream, is_open, open_shards
from sandbox.kinesis.sequence import SequenceNumbers
from sandbox.kinesis.streams import Clock, Streams
from sandbox.wire import Payload, RefusedError, Request, handler


@dataclass(frozen=True, slots=True)
class Resharding:
    """Closes shards and opens their children."""

    streams: Streams
    clock: Clock
    numbers: SequenceNumbers

    def split(self, request: Request) -> Payload:
        """SplitShard."""
        stream = self.streams.of(request)
        shard_id = request["ShardToSplit"]
        shard = self._open_shard(stream, shard_id)
        point = int(request["NewStartingHashKey"])
        if not int(shard["starting_hash_key"]) < point <= int(shard["ending_hash_key"]):
            raise RefusedError(
                "InvalidArgumentException",
                f"NewStartingHashKey {point} used in SplitShard() on shard {shard_id} in stream "
                f"{stream['StreamName']} is not within the shard's range of hash keys.",
            )
        self._split_at(stream, shard_id, point)
        return {}

    def merge(self, request: Request) -> Payload:
        """MergeShards."""
        stream = self.streams.of(request)
        shard_id, adjacent_id = request["ShardToMerge"], request["AdjacentShardToMerge"]
        shard, adjacent = self._open_shard(stream, shard_id), self._open_shard(stream, adjacent_id)
        low, high = sorted((shard, adjacent), key=lambda one: int(one["starting_hash_key"]))
        if int(low["ending_hash_key"]) + 1 != int(high["starting_hash_key"]):
            raise RefusedError(
                "InvalidArgumentException",
                f"Shards {shard_id} and {adjacent_id} in stream {stream['StreamName']} are not an adjacent "
                "pair of shards eligible for merging",
            )
        self._merge_two(stream, shard_id, adjacent_id)
        return {}

    def update_count(self, request: Request) -> Payload:
        """UpdateShardCount: split at every new boundary, then merge what lies between two of them."""
        stream = self.streams.of(request)
        current, target = len(open_shards(stream)), int(request["TargetShardCount"])
        if target < 1:
            raise RefusedError("InvalidArgumentException", "TargetShardCount must be at least 1")
        size = (MAXIMUM_HASH_KEY + 1) // target
        starts = [index * size for index in range(target)]
        for start in starts:
            self._split_where_needed(stream, start)
        for start, end in zip(starts, [*starts[1:], MAXIMUM_HASH_KEY + 1], strict=True):
            self._merge_between(stream, start, end)
        return {
            "StreamName": stream["StreamName"],
            "StreamARN": stream["StreamARN"],
            "CurrentShardCount": current,
            "TargetShardCount": target,
        }

    def initial(self, count: int, first_index: int = 0) -> dict[str, Shard]:
        """Make a new stream's shards."""
        size, now = (MAXIMUM_HASH_KEY + 1) // count, self._now()
        ends = [(index + 1) * size - 1 for index in range(count - 1)] + [MAXIMUM_HASH_KEY]
        return {
            f"shardId-{first_index + index:012d}": self._shard(index * size, end, now)
            for index, end in enumerate(ends)
        }

    def _open_shard(self, stream: Stream, shard_id: str) -> Shard:
        shard = self.streams.shard(stream, shard_id)
        if not is_open(shard):
            raise RefusedError(
                "InvalidArgumentException",
                f"Shard {shard_id} in stream {stream['StreamName']} has already been merged or split, and "
                "thus is not eligible for merging or splitting.",
            )
        return shard

    def _split_where_needed(self, stream: Stream, point: int) -> None:
        for shard_id, shard in open_shards(stream):
            if int(shard["starting_hash_key"]) < point <= int(shard["ending_hash_key"]):
                self._split_at(stream, shard_id, point)

    def _merge_between(self, stream: Stream, start: int, end: int) -> None:
        inside = [
            shard_id
            for shard_id, shard in open_shards(stream)
            if start <= int(shard["starting_hash_key"]) and int(shard["ending_hash_key"]) < end
        ]
        merged = inside[0]
        for shard_id in inside[1:]:
            merged = self._merge_two(stream, merged, shard_id)

    def _split_at(self, stream: Stream, shard_id: str, point: int) -> None:
        parent = stream["shards"][shard_id]
        now = self._close(parent)
        for start, end in (
            (int(parent["starting_hash_key"]), point - 1),
            (point, int(parent["ending_hash_key"])),
        ):
            self._add(stream, self._shard(start, end, now, shard_id))

    def _merge_two(self, stream: Stream, shard_id: str, adjacent_id: str) -> str:
        pair = stream["shards"][shard_id], stream["shards"][adjacent_id]
        now = max(self._close(shard) for shard in pair)
        start = min(int(shard["starting_hash_key"]) for shard in pair)
        end = max(int(shard["ending_hash_key"]) for shard in pair)
        return self._add(stream, self._shard(start, end, now, shard_id, adjacent_id))

    def _close(self, shard: Shard) -> float:
        shard["ending_sequence_number"] = self.numbers.next()
        shard["closed_at"] = now = self._now()
        return now

    def _now(self) -> float:
        return round(
            self.clock(), 3
        )  # as ministack rounds arrivals, or a record could arrive before its shard

    def _add(self, stream: Stream, shard: Shard) -> str:
        index = max(int(shard_id.partition("-")[2]) for shard_id in stream["shards"]) + 1
        shard_id = f"shardId-{index:012d}"
        stream["shards"][shard_id] = shard
        return shard_id

    def _shard(
        self, start: int, end: int, now: float, parent: str | None = None, adjacent: str | None = None
    ) -> Shard:
        return {
            "records": [],
            "starting_hash_key": str(start),
            "ending_hash_key": str(end),
            "starting_sequence_number": self.numbers.next(),
            "parent_shard_id": parent,
            "adjacent_parent_shard_id": adjacent,
            "ending_sequence_number": None,
            "opened_at": now,
            "closed_at": None,
        }


def apply(kinesis: Service, clock: Clock) -> None:
    """Replace how ministack makes, closes and picks shards, and how it numbers records."""
    numbers = SequenceNumbers(clock)
    resharding = Resharding(Streams(kinesis, clock), clock, numbers)
    kinesis["_next_sequence_number"] = numbers.next
    kinesis["_build_shards"] = resharding.initial
    kinesis["_split_shard"] = handler(resharding.split)
    kinesis["_merge_shards"] = handler(resharding.merge)
    kinesis["_update_shard_count"] = handler(resharding.update_count)
    kinesis["_route_to_shard"] = _shard_for


def _shard_for(hash_key: int, stream: Stream) -> str:
    """Return the id of the open shard that a hash key belongs to."""
    for shard_id, shard in stream["shards"].items():
        if is_open(shard) and int(shard["starting_hash_key"]) <= hash_key <= int(shard["ending_hash_key"]):
            return shard_id
    raise RefusedError("InvalidArgumentException", f"No open shard for hash key {hash_key}.")
