"""Condition and update expressions as DynamoDB reads them, as far as Tidemark writes them.

By "Comparison operator and function reference" and "Update expressions" (DynamoDB Developer Guide): a
comparison with an attribute that is missing, or of another type, is false; what an update computes with is
the item as it was; a number has 38 digits and a magnitude below 1E+126.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, Overflow, Subnormal
from operator import eq, ge, gt, le, lt
from typing import cast

from consumer.record import AttributeValue, Image

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"

_TOKENS = re.compile(r"\s*(<=|>=|<>|[()=<>,+-]|[:#\w.]+)")
_CLAUSES = ("SET", "ADD", "REMOVE")
_EXACT = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Overflow, Subnormal])
_COMPARISONS: Mapping[str, Callable[[object, object], bool]] = {
    "=": eq,
    "<": cast("Callable[[object, object], bool]", lt),
    "<=": cast("Callable[[object, object], bool]", le),
    ">": cast("Callable[[object, object], bool]", gt),
    ">=": cast("Callable[[object, object], bool]", ge),
}


class UpdateRefusedError(Exception):
    """An update can't be carried out on the item; its text is DynamoDB's message."""


def holds(
    condition: str, item: Image, names: Mapping[str, str], values: Mapping[str, AttributeValue]
) -> bool:
    """Whether an item (empty: none) meets a condition."""
    return _Condition(condition, item, names, values).result()


def updated(
    expression: str, item: Image, names: Mapping[str, str], values: Mapping[str, AttributeValue]
) -> Image:
    """The item after an update."""
    return _Update(expression, item, names, values).result()


def placeholders(*expressions: str) -> set[str]:
    """The names and values that expressions use: a request that defines another, or lacks one, is refused."""
    tokens = (token for expression in expressions for token in _TOKENS.findall(expression))
    return {part for token in tokens for part in token.split(".") if part[0] in ":#"}


class _Reader:
    """An expression's words, read from left to right."""

    def __init__(
        self, text: str, item: Image, names: Mapping[str, str], values: Mapping[str, AttributeValue]
    ) -> None:
        self._tokens = _TOKENS.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s", "", text)
        self._item, self._names, self._values = item, names, values

    def _operand(self) -> AttributeValue | None:
        token = self._tokens.pop(0)
        if token.startswith(":"):
            return self._values[token]
        first, *rest = token.split(".")
        value = self._item.get(self._name(first))
        for name in rest:
            value = None if value is None else cast("Image", value.get("M", {})).get(self._name(name))
        return value

    def _name(self, token: str) -> str:
        return self._names[token] if token.startswith("#") else token

    def _takes(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False


class _Condition(_Reader):
    def result(self) -> bool:
        found = self._either()
        assert not self._tokens
        return found

    def _either(self) -> bool:
        found = self._both()
        while self._takes("OR"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._term()
        while self._takes("AND"):
            found = self._term() and found
        return found

    def _term(self) -> bool:
        if self._takes("("):
            found = self._either()
            assert self._takes(")")
            return found
        for function, is_missing in (("attribute_not_exists", True), ("attribute_exists", False)):
            if self._takes(function):
                assert self._takes("(")
                missing = self._operand() is None
                assert self._takes(")")
                return missing is is_missing
        left, operator, right = self._operand(), self._tokens.pop(0), self._operand()
        return left is not None and right is not None and _compare(operator, left, right)


def _compare(operator: str, left: AttributeValue, right: AttributeValue) -> bool:
    ((kind, one),), ((other_kind, other),) = left.items(), right.items()
    if kind != other_kind:
        return False
    if kind == "N":
        one, other = Decimal(cast("str", one)), Decimal(cast("str", other))
    return _COMPARISONS[operator](one, other)


class _Update(_Reader):
    def result(self) -> Image:
        after = dict(self._item)
        while self._tokens:
            clause = self._tokens.pop(0)
            assert clause in _CLAUSES
            self._assign(clause, after)
            while self._takes(","):
                self._assign(clause, after)
        return after

    def _assign(self, clause: str, after: Image) -> None:
        name = self._name(self._tokens.pop(0))
        assert "." not in name
        if clause == "REMOVE":
            after.pop(name, None)
        elif clause == "ADD":
            added = self._operand()
            assert added is not None
            after[name] = _sum(self._item.get(name, {"N": "0"}), added)
        else:
            assert self._takes("=")
            after[name] = self._value()

    def _value(self) -> AttributeValue:
        value = self._term()
        while self._tokens and self._tokens[0] in "+-":
            sign = -1 if self._tokens.pop(0) == "-" else 1
            value = _sum(value, self._term(), sign)
        return value

    def _term(self) -> AttributeValue:
        if self._takes("if_not_exists"):
            assert self._takes("(")
            found = self._operand()
            assert self._takes(",")
            instead = self._term()
            assert self._takes(")")
            return instead if found is None else found
        found = self._operand()
        if found is None:
            message = "The provided expression refers to an attribute that does not exist in the item"
            raise UpdateRefusedError(message)
        return found


def _sum(one: AttributeValue, other: AttributeValue, sign: int = 1) -> AttributeValue:
    if "N" not in one or "N" not in other:
        raise UpdateRefusedError("An operand in the update expression has an incorrect data type")
    left, right = Decimal(cast("str", one["N"])), Decimal(cast("str", other["N"]))
    try:
        total = _EXACT.add(left, right) if sign > 0 else _EXACT.subtract(left, right)
        return {"N": format(total.normalize(_EXACT), "f")}
    except (Inexact, Overflow, Subnormal):
        raise UpdateRefusedError(OVERFLOW) from None
