"""docs/settings.md is held to the settings' own schema: each setting, its default and what is allowed."""

import json
from collections.abc import Iterator
from typing import Any

from consumer.commands.schema import settings_schema
from consumer.settings.allowed import Allowed
from consumer.settings.document import Path
from tests.support.pages import ROOT, code, rows

PAGE = ROOT / "docs" / "settings.md"
SCHEMA: dict[str, Any] = json.loads(settings_schema())
OVERRIDES = ("processors", 0, "delivery")
"""The same settings as `delivery`: told there."""

SAME_STORES = ("processors", 0, "aggregate", "store")
"""The same settings as a projection's stores: told there."""

MAPPINGS_OF_NAMES = {"key", "fields"}


def settings(node: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, dict[str, Any], bool]]:
    """Each setting that holds a value: its path, its schema, and whether it must be there."""
    for name, schema in node.get("properties", {}).items():
        here = (*path, name)
        if here == SAME_STORES:
            continue
        parts = [] if here == OVERRIDES else list(mappings(schema))
        for part, below in parts:
            yield from settings(part, (*here, *below))
        if not parts:
            yield here, schema, name in node.get("required", [])


def mappings(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Path]]:
    """The mappings of settings that a schema refers to, and the path to them."""
    for form in (schema, *schema.get("anyOf", [])):
        if "$ref" in form:
            yield SCHEMA["$defs"][form["$ref"].rsplit("/", 1)[1]], ()
    if "$ref" in schema.get("items", {}):
        yield SCHEMA["$defs"][schema["items"]["$ref"].rsplit("/", 1)[1]], (0,)


def shown(path: Path) -> str:
    return ".".join(str(part) for part in path).replace(".0", "[]")


def default(schema: dict[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    value = schema["default"]
    if value is None:
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def test_every_setting_is_told_with_its_default_and_what_is_allowed() -> None:
    allowed = Allowed()
    expected = {
        shown(path): (default(schema, required=required), allowed.at(path))
        for path, schema, required in settings(SCHEMA)
    }

    told = {code(row[0])[0]: (row[1], row[2]) for row in rows(PAGE, "Settings")}

    assert told == expected


def test_every_setting_says_what_it_does() -> None:
    assert [row[0] for row in rows(PAGE, "Settings") if len(row) != 4 or not row[3].endswith(".")] == []
