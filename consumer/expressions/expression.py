"""An expression, ready to search with, and its shortcut: a plain path over DynamoDB JSON.

A value that is copied along a plain path keeps its exact type.
"""

from collections.abc import Iterator, Mapping
from decimal import Context, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext
from typing import cast

from jmespath.visitor import Options

from consumer.attributes import Plain
from consumer.errors import Rejected
from consumer.expressions.functions import FUNCTIONS
from consumer.expressions.literals import Node
from consumer.expressions.parsing import parse
from consumer.record import AttributeValue, Image

_EXACT = Context(prec=300, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow])
"""Sums and products of DynamoDB's numbers are exact in it: they reach from 1E-130 to below 1E126."""

_OPTIONS = Options(custom_functions=FUNCTIONS)

_LEADING_ON = frozenset(
    {
        *("subexpression", "index_expression", "flatten", "pipe"),
        *("projection", "value_projection", "filter_projection"),
    }
)
"""Nodes whose first child alone looks into the scope: the others look into what that one gave."""


class Expression:
    """A compiled expression; compiling costs milliseconds, searching microseconds."""

    def __init__(self, text: str) -> None:
        """Compile the expression.

        Raises:
            SettingsError: it is not JMESPath, or calls a function there isn't; the text says where.
        """
        self.text = text
        self._compiled = parse(text)
        self.path = _plain_path(self._compiled.parsed)
        """The names of a plain path such as `new.address.city`, None for any other expression."""
        self.roots = tuple(dict.fromkeys(_roots(self._compiled.parsed)))
        """The names that it looks up in the scope itself, such as `new`, in the order of the text."""
        self.is_literal = self._compiled.parsed["type"] == "literal"
        """Whether it is one value, such as 'x' or `1`, whatever the scope."""

    def search(self, scope: Mapping[str, Plain]) -> Plain:
        """The expression's value over plain values; None where the path leads nowhere.

        Raises:
            Rejected: the record's values don't fit the expression, such as a sum over texts.
        """
        try:
            with localcontext(_EXACT):
                return cast("Plain", self._compiled.search(scope, _OPTIONS))
        except Inexact as error:
            raise self._failed(f"the result has more than {_EXACT.prec} digits") from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> Rejected:
        return Rejected(f"the expression {self.text!r} fails on this record: {why}", code="ExpressionFailed")


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


def _plain_path(node: Node) -> tuple[str, ...] | None:
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts = [_plain_path(child) for child in node["children"]]
    if any(part is None for part in parts):
        return None
    return tuple(name for part in parts if part for name in part)


def _roots(node: Node) -> Iterator[str]:
    if node["type"] == "field":
        yield node["value"]
    elif node["type"] in _LEADING_ON:
        yield from _roots(node["children"][0])
    elif node["type"] not in ("expref", "slice"):  # `&price` looks into elements; a slice has numbers
        for child in node["children"]:
            yield from _roots(child)
