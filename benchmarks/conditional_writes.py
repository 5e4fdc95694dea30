"""Conditional DynamoDB writes of one shard process as it ships, against an endpoint that answers in 5 ms.

Beside it, in the same run, a loop of boto3 that makes the same writes one after the other. A scripted daemon
feeds the shard process a backlog.
"""

import time
from itertools import islice

import boto3
import orjson

from benchmarks.records import KEYS, envelopes, messages, newest_versions
from benchmarks.scripted_daemon import open_child
from benchmarks.slow_endpoint import SlowEndpoint, Watch, open_slow_endpoint
from benchmarks.stage import TARGET_REGION, VIEW, open_stage
from consumer.attributes import RESERVED, digest
from consumer.processors.gate import DYNAMODB_NEWER, Stamp, dynamodb_newer_values, stamp_to_attribute
from consumer.record import Version

_RECORDS = 100_000
_HOT_RECORDS = 20_000
_HOT_KEYS = 7
_SERIAL_RECORDS = 1_000
_SHARD_MODULE = "consumer.shard"


def measure() -> dict[str, float]:
    """Records and writes a second from the first record to the end of the shard, and the CPU of it.

    Raises:
        RuntimeError: a key's writes came out of order, two at once, or the newest was left out.
    """
    ours, hot, serial = _shard(_RECORDS, KEYS), _shard(_HOT_RECORDS, _HOT_KEYS), _serial()
    return {
        "records_per_second": ours["records_per_second"],
        "writes_per_second": ours["writes_per_second"],
        "cpu_seconds_per_100_000": ours["cpu_seconds_per_100_000"],
        "serial_boto3_records_per_second": serial["records_per_second"],
        "serial_boto3_cpu_seconds_per_100_000": serial["cpu_seconds_per_100_000"],
        "times_serial": ours["records_per_second"] / serial["records_per_second"],
        "seven_hot_keys_records_per_second": hot["records_per_second"],
        "seven_hot_keys_writes_per_second": hot["writes_per_second"],
        "seven_hot_keys_cpu_seconds_per_100_000": hot["cpu_seconds_per_100_000"],
    }


def _shard(records: int, keys: int) -> dict[str, float]:
    lines = list(messages(envelopes(records, keys), arrived_at_ms=int(time.time() * 1000)))
    with (
        open_slow_endpoint() as endpoint,
        open_stage("bench-writes", target_url=endpoint.url) as stage,
        open_child(_SHARD_MODULE, stage) as daemon,
    ):
        began, cpu = time.monotonic(), daemon.cpu_seconds
        for line in lines:
            daemon.say_line(line)
        daemon.end_shard()
        seconds, cpu = time.monotonic() - began, daemon.cpu_seconds - cpu
        watch = _in_order(endpoint, records, keys)
    return {
        "records_per_second": records / seconds,
        "writes_per_second": watch.puts / seconds,
        "cpu_seconds_per_100_000": cpu / records * 100_000,
    }


def _serial() -> dict[str, float]:
    """What a record processor of AWS's sample would do for each record."""
    with open_slow_endpoint() as endpoint:
        client = boto3.client(
            "dynamodb",
            region_name=TARGET_REGION,
            endpoint_url=endpoint.url,
            aws_access_key_id="bench",
            aws_secret_access_key="bench",  # noqa: S106 - not a secret
        )
        records = list(islice(envelopes(_RECORDS), _SERIAL_RECORDS))
        began, cpu = time.monotonic(), time.process_time()
        for data in records:
            change = orjson.loads(data)["dynamodb"]
            image, version = change["NewImage"], Version(change["ApproximateCreationDateTime"])
            client.put_item(
                TableName=VIEW,
                Item={**image, RESERVED: stamp_to_attribute(Stamp(version, digest(image)))},
                ConditionExpression=f"attribute_not_exists(#k) OR {DYNAMODB_NEWER}",
                ExpressionAttributeNames={"#k": "orderId", "#t": RESERVED},
                ExpressionAttributeValues=dynamodb_newer_values(version),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        _in_order(endpoint, _SERIAL_RECORDS, KEYS)
    return {
        "records_per_second": _SERIAL_RECORDS / seconds,
        "cpu_seconds_per_100_000": cpu / _SERIAL_RECORDS * 100_000,
    }


def _in_order(endpoint: SlowEndpoint, records: int, keys: int) -> Watch:
    watch = endpoint.watch()
    wanted = newest_versions(records, keys)
    missing = sum(watch.newest.get(order) != version for order, version in wanted.items())
    if watch.older_after_newer or watch.two_at_once or missing:
        raise RuntimeError(
            f"the writes broke their order: {watch.older_after_newer} after a newer one, {watch.two_at_once} "
            f"beside another of their key, {missing} keys are not at their newest"
        )
    return watch
