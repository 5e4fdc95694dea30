"""The guard of KCL's leader lock: a leader ended by SIGKILL holds up all lease assignment for two minutes.

    leader alive     leaseCounter raised three times a failoverTime, recordVersionNumber every 30 s
    leader dies      both stand still; followers honour its lock for leaseDuration (120 s) by their own clocks
    silence counted  on this guard's monotonic clock, from the last sign of life it saw itself
    lock deleted     where owner and recordVersionNumber still are what was read; followers look every 30 s

The lock is the item key=Leader of `<application>-CoordinatorState` (dynamodb-lock-client 1.3.0: key,
ownerName, recordVersionNumber, leaseDuration), held by KCL 3.1.3's DynamoDBLockBasedLeaderDecider.
"""

from collections.abc import Callable
from dataclasses import dataclass

from checkpoint.api import Api
from checkpoint.leases import COORDINATOR_STATE_SUFFIX, read_leases
from checkpoint.tables import Item, get_item

_KEY: Item = {"key": {"S": "Leader"}}
_HEARTBEAT_SECONDS = 30.0
"""How often a lock's holder gives it a new recordVersionNumber (DEFAULT_HEARTBEAT_PERIOD_MILLIS)."""

_SHORTEST_BLINDNESS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What one look found and did.

    Attributes:
        owner: worker id of the lock's holder; None: nobody holds it.
        silent_seconds: how long the holder has shown no sign of life to this guard.
        deleted: this look deleted the lock.
    """

    owner: str | None
    silent_seconds: float
    deleted: bool


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a leader that is alive changes."""

    owner: str
    record_version_number: str
    counters: frozenset[tuple[str, int]]


class LeaderLockGuard:
    """Deletes the lock of a leader that is gone; every pod may run one.

    Args:
        api: DynamoDB.
        application: names the lease table.
        worker_id: our own daemon's.
        failover_time: KCL's failoverTimeMillis, in seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        api: Api,
        application: str,
        *,
        worker_id: str,
        failover_time: float,
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._application = application
        self._table = application + COORDINATOR_STATE_SUFFIX
        self._worker_id = worker_id
        self._failover_time = failover_time
        self._clock = clock
        self._seen: _Sight | None = None
        self._seen_at = 0.0
        self._alive_at = 0.0

    async def step(self, *, daemon_alive: bool) -> GuardReport:
        """Look once; to be called every few seconds.

        Args:
            daemon_alive: our own daemon's process runs: its lock is then left alone, whatever it looks like.
        """
        sight = await self._look()
        now = self._clock()
        # Who could not look has seen no silence: an outage of DynamoDB stops the leader's renewals too.
        blind = now - self._seen_at > max(self._failover_time, _SHORTEST_BLINDNESS_SECONDS)
        if sight != self._seen or blind:
            self._alive_at = now
        self._seen, self._seen_at = sight, now
        if sight is None:
            return GuardReport(None, 0.0, deleted=False)
        silent = now - self._alive_at
        ours = sight.owner == self._worker_id and daemon_alive
        deleted = not ours and silent >= self._patience(sight) and await self._delete(sight)
        return GuardReport(sight.owner, silent, deleted)

    async def release(self) -> bool:
        """Delete our own daemon's lock; only once that daemon has ended, where it did not do so itself."""
        lock = await get_item(self._api, self._table, _KEY)
        if lock is None or lock["ownerName"]["S"] != self._worker_id:
            return False
        version = lock["recordVersionNumber"]["S"]
        return await self._delete(_Sight(self._worker_id, version, frozenset()))

    def _patience(self, sight: _Sight) -> float:
        """Leases are renewed far more often than the lock; of a leader with none, the lock is all to see."""
        return 2 * self._failover_time if sight.counters else 3 * _HEARTBEAT_SECONDS

    async def _look(self) -> _Sight | None:
        lock = await get_item(self._api, self._table, _KEY)
        if lock is None:
            return None
        owner = lock["ownerName"]["S"]
        leases = await read_leases(self._api, self._application)
        counters = frozenset(
            (lease.lease_key, lease.counter)
            for lease in leases
            if lease.owner == owner and not lease.is_ended
        )
        return _Sight(owner, lock["recordVersionNumber"]["S"], counters)

    async def _delete(self, sight: _Sight) -> bool:
        request = {
            "TableName": self._table,
            "Key": _KEY,
            "ConditionExpression": "ownerName = :owner AND recordVersionNumber = :version",
            "ExpressionAttributeValues": {
                ":owner": {"S": sight.owner},
                ":version": {"S": sight.record_version_number},
            },
        }
        answer = await self._api.call("DeleteItem", request, expect=("ConditionalCheckFailedException",))
        return answer.error is None
