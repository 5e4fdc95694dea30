"""A filter of keys, with the real daemon: the read model holds what matches, and the rest is settled."""

from tests.end_to_end.harness import Service
from tests.end_to_end.stage import KEY, VIEW, Stage
from tests.end_to_end.truth import read_model, wait_until_checkpointed

ORDERS = {"dynamodb": {"Keys": {KEY: {"S": [{"prefix": "o-"}]}}}}


def test_only_what_the_filter_lets_through_has_a_row_and_all_is_checkpointed(stage: Stage) -> None:
    dynamodb = stage.aws.dynamodb
    settings = stage.write_settings({**stage.projection(), "filters": [ORDERS]})
    keys = [f"{kind}-{number}" for number in range(10) for kind in ("o", "customer")]
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        for key in keys:
            dynamodb.put_item(TableName=stage.table, Item={KEY: {"S": key}})
        for key in keys[:2]:
            dynamodb.delete_item(TableName=stage.table, Key={KEY: {"S": key}})
        service.wait_until_settled(len(keys) + 2)
        wait_until_checkpointed(stage, records=len(keys) + 2)
        settled = {
            outcome: service.metrics().total(
                "tidemark_records_settled_total", processor=VIEW, outcome=outcome
            )
            for outcome in ("applied", "filtered")
        }

    model = read_model(stage)
    assert set(model.rows) == {f"o-{number}" for number in range(1, 10)}
    assert set(model.tombstones) == {"o-0"}
    assert settled == {"applied": 11, "filtered": 11}
