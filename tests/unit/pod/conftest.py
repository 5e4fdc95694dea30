"""What the pod's tests share."""

from typing import Any

import pytest

from consumer.settings.model import Settings
from consumer.status import ProcessorStatus, ShardStatus

NOW = 1_000_000.0


def make_settings(**changes: Any) -> Settings:  # noqa: ANN401 - what a YAML file may hold
    document = {
        "application": "shop-orders",
        "source": {"kinesis": {"stream": "orders-changes", "table": "orders"}},
        "processors": [
            {
                "name": "order-view",
                "projection": {
                    "store": {"dynamodb": {"table": "order-view"}},
                    "key": {"order_id": "keys.orderId"},
                },
            }
        ],
    }
    return Settings.model_validate(document | changes)


def make_shard(shard_id: str = "shardId-000000000000", **changes: Any) -> ShardStatus:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "shard_id": shard_id,
        "pid": 4711,
        "state": "running",
        "ticked_at": NOW - 1,
        "started_at": NOW - 100,
        "records_received": 10,
        "records_in_flight": 2,
        "bytes_in_flight": 2048,
        "lag_seconds": 0.5,
        "frontier": "49",
        "checkpoint": "48",
        "checkpointed_at": NOW - 3,
        "processors": (ProcessorStatus(name="order-view", settled=8, outcomes={"applied": 7, "stale": 1}),),
    }
    return ShardStatus(**fields | changes)


@pytest.fixture
def settings() -> Settings:
    return make_settings()
