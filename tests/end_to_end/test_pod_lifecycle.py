"""A pod from its start to its end, and through the deaths of its parts, with the real daemon."""

import json
import os
import signal
from pathlib import Path

from sandbox.process import SandboxProcess
from tests.end_to_end.conftest import Shop
from tests.support.pod import PodProcess, all_gone
from tests.support.waiting import eventually


def lease_owners(shop: Shop) -> set[str]:
    items = shop.aws.dynamodb.scan(TableName=shop.prefix, ConsistentRead=True)["Items"]
    return {item["leaseOwner"]["S"] for item in items if "leaseOwner" in item}


def has_leader(shop: Shop) -> bool:
    table = f"{shop.prefix}-CoordinatorState"
    items = shop.aws.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    return any(item["key"]["S"] == "Leader" for item in items)


def test_the_service_goes_on_by_itself_when_its_daemon_or_a_shard_process_is_killed(
    shop: Shop, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with PodProcess(tmp_path, shop.settings(), sandbox.environment) as pod:
        started = pod.until_running(shop.open_shards())
        shop.write(*range(20))

        os.kill(started["daemon"]["pid"], signal.SIGKILL)
        shop.write(*range(20, 40))
        restarted = pod.until_running(shop.open_shards(), restarts=1)
        assert lease_owners(shop) == {"pod-0"}
        assert restarted["daemon"]["last_exit"] == "killed by SIGKILL"

        os.kill(restarted["shards"][0]["pid"], signal.SIGKILL)
        shop.write(*range(40, 60))
        pod.until_running(shop.open_shards(), restarts=2)
        assert shop.view_becomes_true()
        assert "tidemark_daemon_restarts_total 2.0" in pod.get("/metrics")[1]

        assert pod.drain() == 0
        lines = [json.loads(line) for line in pod.log().splitlines()]
        begun = [line["pid"] for line in lines if line["event"] == "the shard begins"]
        assert len(begun) == len(set(begun)) >= 6, "each process's lines come once, and all are JSON"


def test_a_killed_pod_leaves_no_process_and_its_successor_of_the_same_name_takes_its_leases(
    shop: Shop, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with PodProcess(tmp_path, shop.settings(), sandbox.environment) as pod:
        pod.until_running(shop.open_shards())
        below = pod.processes()
        assert len(below) >= 3

        pod.kill()
        assert all_gone(below)

    shop.write(*range(20))
    with PodProcess(tmp_path, shop.settings(), sandbox.environment) as pod:
        pod.until_running(shop.open_shards())
        assert shop.view_becomes_true()
        assert pod.drain() == 0


def test_a_drain_soon_after_a_shards_end_is_clean_and_gives_up_the_leaders_lock(
    shop: Shop, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with PodProcess(tmp_path, shop.settings(), sandbox.environment) as pod:
        before = pod.until_running(shop.open_shards())
        shop.write(*range(20))
        shop.split(before["shards"][0]["shard_id"])
        pod.until_running(shop.open_shards())
        shop.write(*range(20), note="changed")
        assert shop.view_becomes_true()
        below = pod.processes()

        assert pod.drain() == 0
        assert all_gone(below)
        assert not has_leader(shop)


def test_settings_that_aws_does_not_bear_out_end_the_start_with_what_is_wrong(
    shop: Shop, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    source = {"kinesis": {"stream": "no-such-stream", "table": shop.orders}}
    with PodProcess(tmp_path, shop.settings(source=source), sandbox.environment) as pod:
        assert pod.wait() == 2
        assert "stream 'no-such-stream' in us-east-1: there is no such stream" in pod.log()
        assert "Traceback" not in pod.log()


def test_while_aws_is_out_of_reach_a_pod_waits_says_so_and_can_be_stopped(shop: Shop, tmp_path: Path) -> None:
    nowhere = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the discard port: nobody listens
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with PodProcess(tmp_path, shop.settings(), nowhere) as pod:
        assert eventually(lambda: "trying again" in pod.get("/readyz")[1])
        assert pod.get("/healthz")[0] == 200
        assert pod.drain() == 0
