"""Keys of rows as text: equal for equal keys, and read back where a row has to be found again. Pure."""

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal

import orjson

from consumer.attributes import Plain, canonical_number
from consumer.errors import Rejected
from consumer.record import AttributeValue

_KINDS = ("S", "N", "B")


def key_text(values: Sequence[AttributeValue]) -> str:
    """A key's values, in the order of its settings, as JSON text: `[["S","A-1"],["N","7"]]`.

    Numbers are canonical, so that 1 and 1.0 are one key.
    """
    parts = []
    for value in values:
        ((kind, content),) = value.items()
        parts.append([kind, canonical_number(content) if kind == "N" else content])
    return orjson.dumps(parts).decode()


def key_values(text: str) -> list[AttributeValue]:
    """The values of which `key_text` made the text, numbers in their canonical form."""
    return [{kind: content} for kind, content in orjson.loads(text)]


def plain_key_values(text: str) -> list[Plain]:
    """The same, as plain values."""
    return [_PLAIN[kind](content) for kind, content in orjson.loads(text)]


_PLAIN = {
    "S": lambda content: content,
    "N": Decimal,
    "B": base64.b64decode,
}


def check_key_value(name: str, expression: str, value: AttributeValue | None) -> AttributeValue:
    """A value that can be part of a key.

    Raises:
        Rejected: it is missing, null, empty, or neither text nor a number nor binary.
    """
    if value is None or "NULL" in value:
        message = f"the key {name} is null: `{expression}` leads to nothing in this item"
        raise Rejected(message, code="KeyIsNull")
    ((kind, content),) = value.items()
    if kind not in _KINDS:
        message = f"the key {name} (`{expression}`) is of type {kind}; a key is a text, a number or binary"
        raise Rejected(message, code="KeyIsNoScalar")
    if content == "":
        message = f"the key {name} is empty: `{expression}` gives an empty value"
        raise Rejected(message, code="KeyIsNull")
    return value


def named(names: Sequence[str], values: Sequence[AttributeValue]) -> Mapping[str, AttributeValue]:
    """A key's values by the names of its settings."""
    return dict(zip(names, values, strict=True))
