"""One sandbox for all tests with the real daemon, and a stage of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.process import SandboxProcess
from tests.end_to_end.stage import Stage, set_stage
from tests.integration.conftest import Aws, connect


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """Faults are for a test's own tables and streams (`resource=`): others use the sandbox too."""
    with SandboxProcess(ttl_interval_seconds=0.1) as process:
        yield process


@pytest.fixture(scope="session")
def aws(sandbox: SandboxProcess) -> Aws:
    return connect(sandbox)


@pytest.fixture
def stage(sandbox: SandboxProcess, aws: Aws, tmp_path: Path) -> Stage:
    """A table with microsecond precision, a stream of two shards, and a read model."""
    return set_stage(sandbox, aws, tmp_path)
