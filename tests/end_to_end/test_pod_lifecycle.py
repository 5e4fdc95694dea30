"""A pod as its operator sees it: logs, exit codes, restarts, and what is left when it is gone."""

import json

from tests.end_to_end.harness import Service, sigkill
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import owners, scan
from tests.integration.streams import shards_of
from tests.support.waiting import eventually


def events(service: Service) -> list[dict[str, object]]:
    return [json.loads(line) for line in service.log()]


def split_a_shard(stage: Stage) -> None:
    shard_id, shard = next(iter(shards_of(stage.aws.kinesis, stage.stream).items()))
    keys = shard["HashKeyRange"]
    middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
    stage.aws.kinesis.split_shard(
        StreamName=stage.stream, ShardToSplit=shard_id, NewStartingHashKey=str(middle)
    )


def test_a_daemon_or_shard_process_that_is_killed_is_replaced_and_told_of(stage: Stage) -> None:
    with Service(stage) as pod:
        pod.wait_until_at_work()
        daemon = pod.pids.daemon
        assert daemon is not None

        sigkill(daemon)
        pod.wait_until(lambda: pod.pids.daemon not in (None, daemon), "there is another daemon")
        pod.wait_until_at_work()
        assert set(owners(stage).values()) == {"pod-a"}
        status = pod.status()
        assert status is not None
        assert (status.daemon.restarts, status.daemon.last_exit) == (1, "killed by SIGKILL")

        sigkill(next(iter(pod.pids.shards.values())))
        pod.wait_until(lambda: pod.metrics().total("tidemark_daemon_restarts_total") == 2, "it was seen")
        pod.wait_until_at_work()

        assert pod.stop() == 0
        begun = [event["pid"] for event in events(pod) if event["event"] == "the shard begins"]
        assert len(begun) >= 6
        assert len(begun) == len(set(begun)), "a shard process's line comes once"


def test_a_pod_that_is_killed_leaves_no_process_behind(stage: Stage) -> None:
    with Service(stage) as pod:
        pod.wait_until_at_work()
        assert pod.pids.daemon is not None
        pod.kill()

        assert pod.survivors() == []


def test_a_drain_soon_after_a_shards_end_is_clean_and_gives_up_the_leaders_lock(stage: Stage) -> None:
    with Service(stage) as pod:
        pod.wait_until_at_work()
        Shop(stage).write(50)
        split_a_shard(stage)
        pod.wait_until_at_work(shards=3)

        assert pod.stop() == 0
        assert pod.survivors() == []
        assert "drained" in [event["event"] for event in events(pod)]
        locks = scan(stage.aws.dynamodb, f"{stage.application}-CoordinatorState")
        assert "Leader" not in [lock["key"]["S"] for lock in locks]


def test_settings_that_aws_does_not_bear_out_end_the_start_with_what_is_wrong(stage: Stage) -> None:
    stage.aws.kinesis.delete_stream(StreamName=stage.stream)
    with Service(stage) as pod:
        assert pod.wait() == 2
        said = "\n".join(pod.log())
        assert f"stream '{stage.stream}' in us-east-1: there is no such stream" in said
        assert "Traceback" not in said


def test_while_aws_is_out_of_reach_a_pod_waits_says_so_and_can_be_stopped(stage: Stage) -> None:
    discard = "http://127.0.0.1:9"  # nobody listens there
    with Service(stage, environment={"AWS_ENDPOINT_URL": discard}) as pod:
        assert eventually(lambda: "trying again" in pod.get("/readyz").text)
        assert pod.get("/healthz").code == 200

        assert pod.stop() == 0
