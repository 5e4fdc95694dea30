"""All stores of read models are away for half a minute while orders keep changing: lag, and nothing else."""

import pytest

from sandbox.faults.fault import Fault
from tests.end_to_end.harness import Service
from tests.end_to_end.orders import Orders
from tests.end_to_end.read_models import (
    assert_all_equal_the_source,
    in_dynamodb,
    in_opensearch,
    in_postgresql,
    processors,
)
from tests.end_to_end.stage import Stage
from tests.end_to_end.trouble import (
    assert_nothing_was_given_up,
    letters_of,
    says_of,
    wait_until_each_goes_on,
    watched,
)
from tests.end_to_end.truth import wait_until_checkpointed
from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.postgresql import PostgreSQLServer

OUTAGE_SECONDS = 30.0
RATE = 25
WRITES = ("TransactWriteItems", "BatchGetItem")
"""What read models in DynamoDB with a ledger call."""


@pytest.mark.timeout(600)
def test_stores_that_are_away_for_half_a_minute_are_named_and_cost_nothing_but_time(
    stage: Stage,
    postgresql: PostgreSQLServer,
    database: str,
    opensearch: OpenSearchServer,
    index_prefix: str,
) -> None:
    models = [
        *in_dynamodb(stage),
        *in_postgresql(database, database),
        *in_opensearch(opensearch.url, opensearch.url, index_prefix),
    ]
    orders, letters, faults = Orders(stage), letters_of(stage), stage.sandbox.faults
    settings = stage.write_settings(*processors(models), delivery=letters.delivery)
    throttled = [
        Fault("throttle", "dynamodb", operation, f"{stage.view_named(view)}*")
        for operation in WRITES
        for view in ("lines", "sales")
    ]
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        with orders.writing(RATE):
            wait_until_each_goes_on(service, models)
            with faults.applied(*throttled):
                postgresql.stop()
                opensearch.stop()
                said = watched(service, OUTAGE_SECONDS)
            postgresql.start()
            opensearch.start()
            wait_until_each_goes_on(service, models)
        wait_until_checkpointed(stage, records=orders.written)

        for model in models:
            assert says_of(model.name, said), said
        assert_nothing_was_given_up(service, letters)
        assert service.metrics().total("tidemark_daemon_restarts_total") == 0
        assert service.stop() == 0
    assert_all_equal_the_source(stage, models)
