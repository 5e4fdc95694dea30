"""JMESPath over a change's plain values.

A plain path can be followed over DynamoDB JSON too, so that a value keeps its exact type.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import TYPES_MAP, Functions
from jmespath.visitor import Options

from consumer.attributes import Plain
from consumer.errors import Rejected, SettingsError
from consumer.record import AttributeValue, Image


class _DecimalFunctions(Functions):
    """JMESPath's own functions, told that a Decimal is a number."""

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return "number" if pyobject == "Decimal" else TYPES_MAP.get(pyobject, "unknown")


class Expression:
    """A compiled expression; compiling costs milliseconds, searching microseconds."""

    def __init__(self, text: str) -> None:
        """Compile the expression.

        Raises:
            SettingsError: it is not JMESPath; the text says where.
        """
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            message = f"{text!r} is not a JMESPath expression: {' '.join(str(error).split())}"
            raise SettingsError(message) from error
        _make_literals_exact(cast("dict[str, Any]", self._compiled.parsed))
        self.path = _plain_path(self._compiled.parsed)
        """The names of a plain path such as `new.address.city`, None for any other expression."""

    def search(self, scope: Mapping[str, Plain]) -> Plain:
        """The expression's value over plain values; None where the path leads nowhere.

        Raises:
            Rejected: the record's values don't fit the expression, such as a sum over texts.
        """
        try:
            return cast("Plain", self._compiled.search(scope, Options(custom_functions=_DecimalFunctions())))
        except (JMESPathError, TypeError, ArithmeticError) as error:
            message = f"the expression {self.text!r} fails on this record: {error}"
            raise Rejected(message, code="ExpressionFailed") from error


def follow(path: tuple[str, ...], image: Image) -> AttributeValue | None:
    """The attribute value at a plain path (without its root) in an image, untouched.

    None where the path leads nowhere.
    """
    value = image.get(path[0])
    for name in path[1:]:
        if value is None or "M" not in value:
            return None
        value = cast("Image", value["M"]).get(name)
    return value


def _plain_path(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts = [_plain_path(child) for child in node["children"]]
    if any(part is None for part in parts):
        return None
    return tuple(name for part in parts if part for name in part)


def _make_literals_exact(node: dict[str, Any]) -> None:
    """Turn a literal's floats into the decimals they were written as: 100.10 as a float equals no Decimal."""
    if node["type"] == "literal":
        node["value"] = _exact(node["value"])
    for child in node["children"]:
        if isinstance(child, dict):
            _make_literals_exact(child)


def _exact(value: Any) -> Any:  # noqa: ANN401 - a JSON literal of any shape
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_exact(element) for element in value]
    if isinstance(value, dict):
        return {name: _exact(element) for name, element in value.items()}
    return value
