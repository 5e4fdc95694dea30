"""An expression's text -> what jmespath searches with, once everything that can never work is ruled out."""

import difflib
from typing import Any, cast

from jmespath.exceptions import (
    ArityError,
    JMESPathError,
    ParseError,
    UnknownFunctionError,
    VariadictArityError,
)
from jmespath.parser import ParsedResult

from consumer.errors import SettingsError
from consumer.expressions.functions import FUNCTIONS
from consumer.expressions.literals import Node, exact_tree

_STEP = 2
"""Where a slice has its step, behind its start and its end."""


def parse(text: str) -> ParsedResult:
    """The expression, ready to search with.

    JMESPath itself would find a wrong call or slice at the first record.

    Raises:
        SettingsError: it is not JMESPath, or calls a function there isn't; the text says where.
    """
    try:
        tree = exact_tree(text)
        _check({"type": "whole", "children": [tree]})
    except (ValueError, RecursionError) as error:
        message = f"{text!r} is not a JMESPath expression: {' '.join(str(error).split())}{_hint(error)}"
        raise SettingsError(message) from error
    return ParsedResult(text, cast("Any", tree))


def _hint(error: Exception) -> str:
    """Numbers without backticks are the commonest mistake, and jmespath says "invalid token" of them."""
    if type(error) is ParseError and (error.msg, error.token_type) == ("invalid token", "NUMBER"):
        return f"; a number stands in backticks, such as `{error.token_value}`"
    return ""


def _check(node: Node) -> None:
    if node["type"] == "function_expression":
        _check_call(node["value"], len(node["children"]))
    if node["type"] == "slice" and node["children"][_STEP] == 0:
        raise JMESPathError("a slice's step can't be zero")
    for place, child in enumerate(node["children"]):
        if isinstance(child, dict):
            if child["type"] == "expref" and not _takes_reference(node, place):
                raise JMESPathError("`&` gives no value; it says by what sort_by, min_by, max_by or map go")
            _check(child)


def _takes_reference(node: Node, place: int) -> bool:
    if node["type"] != "function_expression":
        return False
    signature = FUNCTIONS.FUNCTION_TABLE[node["value"]]["signature"]
    return "expref" in signature[min(place, len(signature) - 1)]["types"]


def _check_call(name: str, given: int) -> None:
    spec = FUNCTIONS.FUNCTION_TABLE.get(name)
    if spec is None:
        close = difflib.get_close_matches(name, FUNCTIONS.FUNCTION_TABLE, n=1)
        meant = f"; did you mean {close[0]}()?" if close else ""
        raise UnknownFunctionError(f"there is no function {name}(){meant}")
    wanted = len(spec["signature"])
    if spec["signature"][-1].get("variadic"):
        if given < wanted:
            raise VariadictArityError(wanted, given, name)
    elif given != wanted:
        raise ArityError(wanted, given, name)
