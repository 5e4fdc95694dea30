import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from checkpoint.leases import AtTimestamp, TrimHorizon
from consumer.pod.daemon import DaemonPlan, daemon_properties, java_command, logback_configuration
from consumer.settings.model import Settings
from tests.unit.pod.conftest import make_settings


@pytest.fixture
def plan(settings: Settings) -> DaemonPlan:
    return DaemonPlan(
        settings=settings,
        worker_id="pod-0",
        region="eu-central-1",
        start=TrimHorizon(),
        executable="python -m consumer.shard",
    )


def read_properties(text: str) -> dict[str, str]:
    """The file as java.util.Properties loads it: the escapes are those of a Java string."""
    pairs = (line.split("=", 1) for line in text.splitlines())
    return {key: re.sub(r"\\(u[0-9a-f]{4}|.)", _unescape, value) for key, value in pairs}


def _unescape(escape: re.Match[str]) -> str:
    text = escape[1]
    return chr(int(text[1:], 16)) if len(text) == 5 else text


def test_settings_reach_kcl_under_its_own_names_in_milliseconds(plan: DaemonPlan) -> None:
    kcl = {
        "failover_time": "4s",
        "lease_assignment_interval": "3s",
        "idle_time_between_reads": "250ms",
        "shutdown_grace": "15s",
        "max_records": 500,
    }
    properties = read_properties(daemon_properties(replace(plan, settings=make_settings(kcl=kcl))))

    assert properties["applicationName"] == "shop-orders"
    assert properties["streamName"] == "orders-changes"
    assert properties["workerId"] == "pod-0"
    assert properties["regionName"] == "eu-central-1"
    assert properties["failoverTimeMillis"] == "4000"
    assert properties["leaseAssignmentIntervalMillis"] == "3000"
    assert properties["inMemoryWorkerMetricsCaptureFrequencyMillis"] == "200"
    assert properties["idleTimeBetweenReadsInMillis"] == "250"
    assert properties["shutdownGraceMillis"] == "15000"
    assert properties["isGracefulLeaseHandoffEnabled"] == "false"
    assert properties["maxRecords"] == "500"


def test_an_idle_stream_still_brings_messages_to_checkpoint_in(plan: DaemonPlan) -> None:
    assert read_properties(daemon_properties(plan))["callProcessRecordsEvenForEmptyRecordList"] == "true"


def test_only_one_of_kcls_two_start_positions_is_set(plan: DaemonPlan) -> None:
    oldest = read_properties(daemon_properties(plan))
    at_a_time = read_properties(daemon_properties(replace(plan, start=AtTimestamp(1_769_817_600))))

    assert oldest["initialPositionInStream"] == "TRIM_HORIZON"
    assert "initialPositionInStreamExtended" not in oldest
    assert at_a_time["initialPositionInStreamExtended"] == "1769817600"
    assert "initialPositionInStream" not in at_a_time


def test_fan_out_registers_a_consumer_of_the_applications_name_and_does_not_poll(plan: DaemonPlan) -> None:
    source = {"kinesis": {"stream": "orders-changes", "table": "orders", "retrieval": "fan_out"}}
    properties = read_properties(daemon_properties(replace(plan, settings=make_settings(source=source))))

    assert properties["retrievalMode"] == "FANOUT"
    assert properties["fanoutConfig.consumerName"] == "shop-orders"
    assert "maxRecords" not in properties
    assert "idleTimeBetweenReadsInMillis" not in properties


def test_aws_is_left_as_it_is_unless_an_endpoint_is_overridden(plan: DaemonPlan) -> None:
    elsewhere = replace(plan, kinesis_endpoint="http://127.0.0.1:4566")
    own, other = read_properties(daemon_properties(plan)), read_properties(daemon_properties(elsewhere))

    assert not {"kinesisEndpoint", "dynamoDBEndpoint", "disableWorkerMetrics"} & set(own)
    assert other["kinesisEndpoint"] == "http://127.0.0.1:4566"
    assert "dynamoDBEndpoint" not in other
    assert "-Daws.cborEnabled=false" not in _command(plan)
    assert "-Daws.cborEnabled=false" in _command(elsewhere)


@pytest.mark.parametrize("name", ["pod 0", " pod", "a\\b", "pöd", "\U0001f30a", "a=b:c#d!e"])
def test_any_worker_name_comes_out_of_the_properties_file_as_it_went_in(plan: DaemonPlan, name: str) -> None:
    text = daemon_properties(replace(plan, worker_id=name))

    assert text.isascii()
    utf16 = read_properties(text)["workerId"].encode("utf-16-be", "surrogatepass")
    assert utf16.decode("utf-16-be") == name


def test_flags_of_a_certain_java_are_given_to_no_other(plan: DaemonPlan) -> None:
    assert not [flag for flag in _command(plan, is_bundled=False) if flag.startswith("--") and "=" in flag]
    assert "--enable-native-access=ALL-UNNAMED" in _command(plan)


def test_the_class_path_is_one_argument_for_java_itself_to_expand(plan: DaemonPlan) -> None:
    command = _command(plan)

    assert command[command.index("-cp") + 1] == "a place/jars/*"


def test_what_a_shard_process_writes_to_stderr_is_not_logged_a_second_time() -> None:
    configuration = ET.fromstring(logback_configuration())  # noqa: S314 - our own text

    levels = {logger.get("name"): logger.get("level") for logger in configuration.iter("logger")}
    assert levels["software.amazon.kinesis.multilang.DrainChildSTDERRTask"] == "OFF"
    root = configuration.find("root")
    assert root is not None
    assert root.get("level") == "WARN"


def _command(plan: DaemonPlan, *, is_bundled: bool = True) -> list[str]:
    return java_command(Path("java"), Path("a place/jars"), Path("run"), is_bundled=is_bundled, plan=plan)
