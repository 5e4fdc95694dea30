"""A pod that can't begin yet, or never; and one that ends when KCL is busy with its leases."""

import json
from dataclasses import replace

from tests.end_to_end.harness import Service
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import assert_read_model_equals_source, scan, wait_until_checkpointed
from tests.integration.streams import FIRST_SHARD

NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
"""The discard port: nobody listens."""

MIDDLE_OF_FIRST_HALF = 2**126


def test_a_drain_soon_after_a_shards_end_is_clean_and_gives_up_the_leaders_lock(stage: Stage) -> None:
    shop = Shop(stage, items=20)
    with Service(stage) as service:
        service.wait_until_at_work(2)
        shop.write(20)
        stage.aws.kinesis.split_shard(
            StreamName=stage.stream,
            ShardToSplit=FIRST_SHARD,
            NewStartingHashKey=str(MIDDLE_OF_FIRST_HALF),
        )
        service.wait_until_at_work(3)
        shop.write(20)
        wait_until_checkpointed(stage, records=shop.written)
        assert service.stop() == 0
        assert service.survivors() == []
        said = [json.loads(line) for line in service.log()]
    began = [line["pid"] for line in said if line["event"] == "the shard begins"]
    assert len(set(began)) == len(began) == 4, "KCL would log each line of a shard process a second time"
    assert_read_model_equals_source(stage)
    state = scan(stage.aws.dynamodb, f"{stage.application}-CoordinatorState")
    assert not [item for item in state if item["key"]["S"] == "Leader"]


def test_settings_that_aws_does_not_bear_out_end_the_start_with_what_is_wrong(stage: Stage) -> None:
    with Service(replace(stage, stream="no-such-stream")) as service:
        assert service.wait() == 2
        said = "\n".join(service.log())
    assert "stream 'no-such-stream' in us-east-1: there is no such stream" in said
    assert "Traceback" not in said


def test_while_aws_is_out_of_reach_a_pod_waits_says_so_and_can_be_stopped(stage: Stage) -> None:
    with Service(stage, environment=NOWHERE) as service:
        service.wait_until(lambda: "trying again" in service.get("/readyz").text, "it says why it waits")
        assert service.get("/healthz").code == 200
        assert service.stop() == 0
