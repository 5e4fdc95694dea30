"""What a pod tells its shard processes, for an application of one projection."""

from consumer.settings.context import Endpoint, ShardContext, TableFacts
from consumer.settings.model import Settings

APPLICATION = "shop-orders"
REGION = "us-east-1"
_TABLE = TableFacts(name="orders", region=REGION, partition_key="id", key_types={"id": "S"})


def shard_context(
    *, retention_hours: int = 24, first_start_at: float = 1_700_000_000.0, url: str = ""
) -> ShardContext:
    """Table `orders` into `view`, from the trim horizon; every endpoint is `url`."""
    projection = {"store": {"dynamodb": {"table": "view"}}, "key": {"id": "keys.id"}}
    settings = {
        "application": APPLICATION,
        "source": {"kinesis": {"stream": "orders-changes", "table": "orders"}},
        "processors": [{"name": "view", "projection": projection}],
    }
    return ShardContext(
        settings=Settings.model_validate(settings),
        worker_id="pod-0",
        region=REGION,
        endpoints=(
            Endpoint(service="dynamodb", region=REGION, url=url),
            Endpoint(service="kinesis", region=REGION, url=url),
        ),
        source_table=_TABLE,
        source_readable=True,
        targets={"view": _TABLE},
        stream_retention_hours=retention_hours,
        first_start_at=first_start_at,
    )
