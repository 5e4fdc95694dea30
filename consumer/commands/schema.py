"""`tidemark schema`: the settings file's JSON Schema (2020-12), for editors and for people."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from consumer.settings.duration import DURATION_PATTERN, format_duration
from consumer.settings.model import Settings


class _TextualDurations(GenerateJsonSchema):
    """Shows a duration's default as it is written in the file: `5s`, where pydantic shows 5.0."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        shown = super().default_schema(schema)
        default: Any = shown.get("default")
        if shown.get("pattern") == DURATION_PATTERN and isinstance(default, float):
            shown["default"] = format_duration(default)
        return shown


def settings_schema() -> str:
    """The schema as indented JSON text."""
    schema = Settings.model_json_schema(schema_generator=_TextualDurations)
    return json.dumps({"$schema": GenerateJsonSchema.schema_dialect, **schema}, indent=2)
