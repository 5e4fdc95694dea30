"""What a setting may be, in words: read off the JSON Schema that pydantic makes of the settings."""

import difflib

import msgspec

from consumer.settings.document import Path
from consumer.settings.model import Settings

A_TIME = "a time with its zone, such as 2026-01-31T00:00:00Z"


class Schema(
    msgspec.Struct,
    rename={"ref": "$ref", "any_of": "anyOf", "additional": "additionalProperties", "definitions": "$defs"},
):
    """The part of JSON Schema (2020-12) that pydantic uses for the settings."""

    type: str | None = None
    description: str | None = None
    format: str | None = None
    enum: list[str] = []
    const: str | bool | None = None
    minimum: int | None = None
    maximum: int | None = None
    properties: dict[str, "Schema"] = {}
    required: list[str] = []
    items: "Schema | None" = None
    additional: "Schema | bool | None" = None
    any_of: list["Schema"] = []
    ref: str | None = None
    definitions: dict[str, "Schema"] = {}


class Allowed:
    """Answers what is allowed at a path of the settings."""

    def __init__(self) -> None:
        self._root = msgspec.convert(Settings.model_json_schema(), Schema)

    def keys(self, path: Path) -> list[str]:
        """The settings a mapping may hold, in the order of the documentation."""
        return [key for form in self._forms(path) for key in form.properties]

    def close_to(self, path: Path, key: str) -> str | None:
        """The setting of that mapping which was probably meant."""
        return next(iter(difflib.get_close_matches(key, self.keys(path), n=1)), None)

    def at(self, path: Path) -> str:
        """What may stand there: "`park` or `continue`", "a whole number from 1 to 64"."""
        return _either([words for form in self._forms(path) for words in _words(form)])

    def _forms(self, path: Path) -> list[Schema]:
        """Every form a value may take at a path, references resolved, null left out."""
        forms = self._resolve(self._root)
        for part in path:
            forms = [
                resolved
                for form in forms
                for child in _children(form, part)
                for resolved in self._resolve(child)
            ]
        return forms

    def _resolve(self, schema: Schema) -> list[Schema]:
        if schema.ref is not None:
            return self._resolve(self._root.definitions[schema.ref.rsplit("/", 1)[1]])
        if schema.any_of:
            return [form for choice in schema.any_of for form in self._resolve(choice)]
        return [] if schema.type == "null" else [schema]


def _children(schema: Schema, part: str | int) -> list[Schema]:
    if isinstance(part, int):
        return [schema.items] if schema.items else []
    if part in schema.properties:
        return [schema.properties[part]]
    return [schema.additional] if isinstance(schema.additional, Schema) else []


def _words(schema: Schema) -> list[str]:
    """The choices one form offers, each in words."""
    if schema.enum or schema.const is not None:
        return [f"`{_written(value)}`" for value in (*schema.enum, schema.const) if value is not None]
    if schema.type == "boolean":
        return ["`true`", "`false`"]
    if schema.properties:
        return ["a mapping with " + ", ".join(f"`{name}`" for name in schema.properties)]
    return [_kind(schema)]


def _written(value: str | bool) -> str:  # noqa: FBT001 - a value, not a switch
    """As YAML has it."""
    return value if isinstance(value, str) else str(value).lower()


def _kind(schema: Schema) -> str:
    if schema.format == "date-time":
        return A_TIME
    if schema.type == "string":
        return schema.description or "text"
    if schema.type == "integer":
        return _range(schema)
    return (
        "a list (each entry begins with `- `)" if schema.type == "array" else "a mapping of names to values"
    )


def _range(schema: Schema) -> str:
    if schema.minimum is None or schema.maximum is None:
        return "a whole number"
    return f"a whole number from {schema.minimum} to {schema.maximum}"


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "nothing"
