"""What the processes of all histories share, since it is costly to make; it remembers none of them."""

import logging

import structlog
from prometheus_client import CollectorRegistry

from consumer.log import Logger
from consumer.metrics import Metrics
from consumer.processors.projection.mapping import ProjectionMapping
from consumer.settings.context import ShardContext, TableFacts
from consumer.settings.model import Projection, Settings
from consumer.settings.stores import DynamoDBTable, Store
from tests.property.storm.world import APPLICATION, VIEW
from tests.support.changes import TABLE

_NAMES = (VIEW, "receiver-0", "receiver-1")
_ORDERS = TableFacts(name=TABLE, region="r", partition_key="id", key_types={"id": "S"})


class Outfit:
    """Settings, metrics, a log that says nothing, and projections compiled."""

    def __init__(self) -> None:
        store = Store(dynamodb=DynamoDBTable(table=VIEW))
        self._projection = Projection(store=store, key={"id": "keys.id"})
        projection = self._projection.model_dump(exclude_none=True)
        settings = {
            "application": APPLICATION,
            "source": {"kinesis": {"stream": "orders-changes", "table": TABLE}},
            # A receiver's settings are a projection's by name only: there is no such processor to be set.
            "processors": [{"name": name, "projection": projection} for name in _NAMES],
        }
        self.context = ShardContext(
            settings=Settings.model_validate(settings),
            worker_id="pod-0",
            region="r",
            endpoints=(),
            source_table=_ORDERS,
            source_readable=True,
            targets=dict.fromkeys(_NAMES, _ORDERS.model_copy(update={"name": VIEW})),
            stream_retention_hours=24,
            first_start_at=0.0,
        )
        self.metrics = Metrics(CollectorRegistry())
        self.log: Logger = structlog.wrap_logger(
            None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
        )
        self._mappings: dict[str | None, ProjectionMapping] = {}

    def mapping(self, when: str | None) -> ProjectionMapping:
        """The projection's pure part."""
        if when not in self._mappings:
            self._mappings[when] = ProjectionMapping(self._projection.model_copy(update={"when": when}))
        return self._mappings[when]
