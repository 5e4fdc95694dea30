"""An expression's literals, their numbers as they are written: JMESPath itself makes floats of them."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import jmespath

Node = Mapping[str, Any]
"""A node of JMESPath's syntax tree: its type, its value and the nodes below."""

_QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `(?P<json>(?:[^`\\]|\\.)*)`""", re.DOTALL | re.VERBOSE
)
"""A raw text, a quoted name or a literal, ended as JMESPath's lexer ends it: backslashes escape."""


def exact_tree(text: str) -> Node:
    """The syntax tree of an expression.

    It is parsed with a number in each literal's place, and the tree then gets the literal of that number.

    Raises:
        ValueError: it is not JMESPath (then a JMESPathError, which says where), or a literal has no value.
    """
    jmespath.compile(text)  # errors tell of the text as it is
    literals: list[object] = []

    def numbered(match: re.Match[str]) -> str:
        if match["json"] is None:
            return match[0]
        try:
            literals.append(_decode(match["json"].replace("\\`", "`")))
        except json.JSONDecodeError:  # a bare word, which JMESPath takes for a text
            return match[0]
        return f"`{len(literals) - 1}`"

    return _filled(jmespath.compile(_QUOTED.sub(numbered, text)).parsed, literals)


def _decode(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not a number")


def _filled(node: Node, literals: Sequence[object]) -> Node:
    if node["type"] == "literal":
        value = node["value"]
        return {**node, "value": literals[value] if isinstance(value, int) else value}
    children = [_filled(child, literals) if isinstance(child, dict) else child for child in node["children"]]
    return {**node, "children": children}
