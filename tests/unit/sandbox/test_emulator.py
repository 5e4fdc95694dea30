import types

import pytest

from sandbox.emulator import Service
from sandbox.errors import EmulatorChangedError


def test_a_name_that_ministack_no_longer_has_is_an_error_that_says_the_version() -> None:
    service = Service(types.ModuleType("ministack.services.kinesis"))
    with pytest.raises(EmulatorChangedError, match=r"kinesis has no _split_shard.*1\.5\.33"):
        service["_split_shard"] = print


def test_a_name_it_has_is_read_and_replaced() -> None:
    module = types.ModuleType("ministack.services.kinesis")
    service = Service(module)
    vars(module)["_split_shard"] = len
    service["_split_shard"] = print
    assert service["_split_shard"] is print
