"""JMESPath over a change's plain values.

A plain path can be followed over DynamoDB JSON too, so that a value keeps its exact type.
"""

from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Any, cast

import jmespath
from jmespath.exceptions import ArityError, JMESPathError, UnknownFunctionError
from jmespath.functions import REVERSE_TYPES_MAP, TYPES_MAP, Functions, signature
from jmespath.visitor import Options

from consumer.attributes import Plain
from consumer.errors import Rejected, SettingsError
from consumer.record import AttributeValue, Image

_EXACT = Context(prec=300)
"""Every sum of DynamoDB's numbers is exact in it: they reach from 1E-130 to below 1E126."""

_DYNAMODB = Context(prec=38)
_PYTHON_TYPES = {**REVERSE_TYPES_MAP, "number": (*REVERSE_TYPES_MAP["number"], "Decimal")}


class _ExactFunctions(Functions):
    """JMESPath's own functions, told that a Decimal is a number and that nothing becomes a float."""

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return "number" if pyobject == "Decimal" else TYPES_MAP.get(pyobject, "unknown")

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        parts = [kind.partition("-") for kind in types]  # such as array-number
        allowed = [name for kind, _, _ in parts for name in _PYTHON_TYPES[kind]]
        return allowed, [_PYTHON_TYPES[element] for _, _, element in parts if element]

    @signature({"types": ["array-number"]})
    def _func_avg(self, numbers: list[Decimal | int]) -> Decimal | None:
        return _DYNAMODB.divide(Decimal(sum(numbers)), len(numbers)) if numbers else None

    @signature({"types": []})
    def _func_to_number(self, value: Plain | int) -> Decimal | int | None:
        if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
            return value
        try:
            number = Decimal(value) if isinstance(value, str) else None
        except InvalidOperation:
            return None
        return number if number is not None and number.is_finite() else None

    @signature({"types": []})
    def _func_to_string(self, value: Plain | int) -> str:
        if isinstance(value, Decimal):
            return format(value.normalize(), "f")
        return cast("str", Functions.FUNCTION_TABLE["to_string"]["function"](self, value))

    @signature({"types": []})
    def _func_type(self, value: Plain | int) -> str:
        if isinstance(value, Decimal):
            return "number"
        return cast("str", Functions.FUNCTION_TABLE["type"]["function"](self, value))


_FUNCTIONS = _ExactFunctions()
_OPTIONS = Options(custom_functions=_FUNCTIONS)


class Expression:
    """A compiled expression; compiling costs milliseconds, searching microseconds."""

    def __init__(self, text: str) -> None:
        """Compile the expression.

        Raises:
            SettingsError: it is not JMESPath, or calls a function there isn't; the text says where.
        """
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
            _check_calls(self._compiled.parsed)
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
            with localcontext(_EXACT):
                return cast("Plain", self._compiled.search(scope, _OPTIONS))
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


def _check_calls(node: Mapping[str, Any]) -> None:
    """See that every function exists and has its arguments; JMESPath itself would see at the first record."""
    if node["type"] == "function_expression":
        spec = _FUNCTIONS.FUNCTION_TABLE.get(node["value"])
        if spec is None:
            raise UnknownFunctionError(f"there is no function {node['value']}()")
        wanted, given = len(spec["signature"]), len(node["children"])
        variadic = wanted and spec["signature"][-1].get("variadic")
        if given < wanted or (given > wanted and not variadic):
            raise ArityError(wanted, given, node["value"])
    for child in node["children"]:
        if isinstance(child, dict):
            _check_calls(child)


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
