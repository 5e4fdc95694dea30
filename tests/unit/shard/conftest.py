from collections.abc import Iterator

import pytest

from tests.support.multilang import ScriptedDaemon, scripted_daemon


@pytest.fixture
def script() -> Iterator[ScriptedDaemon]:
    """A daemon that says what the test has it say."""
    with scripted_daemon() as daemon:
        yield daemon
