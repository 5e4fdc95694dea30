"""Catch-up of one shard through the real daemon: ours with a processor that does nothing, and stock kclpy.

The pod is ours in both, so that both start the same way; only what the daemon executes for the lease differs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.records import TABLE, envelopes
from consumer.aws.boto import boto_client
from sandbox.process import REGION, SandboxProcess

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_RECORDS = 100_000
_A_PUT = 500
_STREAM = "orders-changes"
_VIEW = "order-view"
_SHARD = "shardId-000000000000"
_LONGEST_SECONDS = 90.0
_SETTINGS = f"""
application: %s
source:
  kinesis: {{ stream: {_STREAM}, table: {TABLE}, start: trim_horizon }}
checkpoint_interval: 500ms
kcl: {{ failover_time: 2s, idle_time_between_reads: 200ms, shutdown_grace: 10s }}
processors:
  - name: order-view
    projection:
      store: {{ dynamodb: {{ table: {_VIEW} }} }}
      key: {{ orderId: keys.orderId }}
"""
_SERVE = """
import asyncio, sys
from pathlib import Path
from consumer.commands.run import run
from consumer.settings.load import load_settings
directory, module = Path(sys.argv[1]), sys.argv[2]
settings = load_settings(directory / "tidemark.yaml")
raise SystemExit(asyncio.run(run(settings, "bench", "127.0.0.1", 0, directory / "run", shard_module=module)))
"""


def measure() -> dict[str, float]:
    """Records a second from the child's start to the checkpoint behind the last record, and the memory."""
    with SandboxProcess() as sandbox:
        os.environ.update(sandbox.environment)
        last = _set_the_stage()
        stock = _catch_up("bench-stock", "benchmarks.stock_child", last)
        ours = _catch_up("bench-ours", "benchmarks.noop_child", last)
    return {
        "records": _RECORDS,
        "stock_records_per_second": stock["records_per_second"],
        "ours_records_per_second": ours["records_per_second"],
        "times_stock": ours["records_per_second"] / stock["records_per_second"],
        "ours_shard_process_peak_megabytes": ours["shard_process_peak_megabytes"],
        "stock_shard_process_peak_megabytes": stock["shard_process_peak_megabytes"],
        "daemon_peak_megabytes": ours["daemon_peak_megabytes"],
    }


def _set_the_stage() -> str:
    """A table, a full shard, a read model; returns the last record's sequence number."""
    dynamodb, kinesis = boto_client("dynamodb", REGION), boto_client("kinesis", REGION)
    for table in (TABLE, _VIEW):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    kinesis.create_stream(StreamName=_STREAM, ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName=_STREAM)["StreamDescriptionSummary"]["StreamARN"]
    dynamodb.enable_kinesis_streaming_destination(
        TableName=TABLE,
        StreamArn=arn,
        EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    records = list(envelopes(_RECORDS))
    last = ""
    for first in range(0, _RECORDS, _A_PUT):
        entries: list[PutRecordsRequestEntryTypeDef] = [
            {"Data": data, "PartitionKey": "one"} for data in records[first : first + _A_PUT]
        ]
        last = kinesis.put_records(StreamName=_STREAM, Records=entries)["Records"][-1]["SequenceNumber"]
    return last


def _catch_up(application: str, module: str, last: str) -> dict[str, float]:
    dynamodb = boto_client("dynamodb", REGION)
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as directory:
        Path(directory, "tidemark.yaml").write_text(_SETTINGS % application, encoding="utf-8")
        with _pod(directory, module) as pod:
            peaks = {"child": 0.0, "java": 0.0}
            began: float | None = None
            deadline = time.monotonic() + _LONGEST_SECONDS
            while time.monotonic() < deadline:
                child = _measure_family(pod, module, peaks)
                if began is None and child is not None:
                    began = child.create_time()
                if began is not None and _checkpoint(dynamodb, application) == last:
                    seconds = time.time() - began
                    return {
                        "records_per_second": _RECORDS / seconds,
                        "shard_process_peak_megabytes": peaks["child"],
                        "daemon_peak_megabytes": peaks["java"],
                    }
                time.sleep(0.05)
    raise RuntimeError(f"{module} did not catch up within {_LONGEST_SECONDS:.0f} s")


def _checkpoint(dynamodb: "DynamoDBClient", application: str) -> str:
    lease = dynamodb.get_item(TableName=application, Key={"leaseKey": {"S": _SHARD}})
    return lease["Item"]["checkpoint"]["S"]


@contextmanager
def _pod(directory: str, module: str) -> Iterator[psutil.Process]:
    with Path(directory, "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, directory, module], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _measure_family(pod: psutil.Process, module: str, peaks: dict[str, float]) -> psutil.Process | None:
    """Keep the largest memory of the daemon and of the shard process; returns the latter once it is there."""
    child = None
    for process in pod.children(recursive=True):
        try:
            command, resident = process.cmdline(), process.memory_info().rss / 2**20
        except psutil.NoSuchProcess:
            continue
        if module in command[1:3]:
            child = process
            peaks["child"] = max(peaks["child"], resident)
        elif command and command[0].endswith("java"):
            peaks["java"] = max(peaks["java"], resident)
    return child
