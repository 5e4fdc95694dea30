import json
from typing import Any

import pytest

from consumer.commands.schema import settings_schema


@pytest.fixture
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(settings_schema())
    return loaded


def test_it_names_what_is_required(schema: dict[str, Any]) -> None:
    assert schema["required"] == ["application", "source", "processors"]


def test_unknown_settings_are_not_allowed(schema: dict[str, Any]) -> None:
    assert schema["additionalProperties"] is False
    assert all(
        part["additionalProperties"] is False for part in schema["$defs"].values() if "properties" in part
    )


def test_a_duration_and_its_default_are_text(schema: dict[str, Any]) -> None:
    interval = schema["properties"]["checkpoint_interval"]

    assert interval["type"] == "string"
    assert interval["default"] == "5s"
    assert interval["description"] == "a duration from 100ms to 300s"
