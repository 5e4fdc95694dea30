"""Shards this pod let go of because it can't reach KCL's tables to renew their leases. Pure.

Their processes are gone, and whom nobody can lease falls behind: the pod tells of it in their place, or an
outage of DynamoDB would look like a stand-by. (A pod that is cut off alone tells of shards others have by
then.)
"""

from collections.abc import Sequence

from consumer.status import ShardStatus


class Adrift:
    """Remembers until when each shard was settled, from the pod's looks every few seconds."""

    def __init__(self) -> None:
        self.why: str | None = None
        """Why KCL's tables can't be reached; None while they can."""
        self._settled_until: dict[str, float] = {}

    def look(self, shards: Sequence[ShardStatus], why: str | None) -> None:
        """Take note of the shard processes that are alive, and whether KCL's tables can be reached."""
        self.why = why
        seen = {shard.shard_id: shard.ticked_at - (shard.lag_seconds or 0.0) for shard in shards}
        self._settled_until = seen if why is None else self._settled_until | seen

    def lags(self, shards: Sequence[ShardStatus], now: float) -> dict[str, float]:
        """Seconds that each shard adrift is behind, by the processes alive now and Unix time."""
        if self.why is None:
            return {}
        alive = {shard.shard_id for shard in shards}
        return {
            shard_id: now - until
            for shard_id, until in sorted(self._settled_until.items())
            if shard_id not in alive
        }
