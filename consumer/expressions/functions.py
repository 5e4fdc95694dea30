"""What an expression may call: JMESPath's own functions, and ours for what it lacks.

docs/expressions.md describes them. Ours give null where an argument is null, as SQL's do.
"""

import operator
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation
from functools import reduce
from typing import Any, cast

from jmespath.functions import REVERSE_TYPES_MAP, TYPES_MAP, Functions, signature

from consumer.attributes import Plain
from consumer.expressions.dates import in_utc

_DYNAMODB = Context(prec=38)
_PYTHON_TYPES = {**REVERSE_TYPES_MAP, "number": (*REVERSE_TYPES_MAP["number"], "Decimal")}

Number = Decimal | int


class _Functions(Functions):
    """The table of functions: every method `_func_name` with a signature can be called as `name`."""

    def _type_check(self, actual: Sequence[object], wanted: Sequence[Any], name: str) -> None:
        """Check every argument; jmespath leaves out those that only a variadic signature's end speaks for."""
        each = (*wanted, *(wanted[-1] for _ in actual[len(wanted) :]))
        super()._type_check(actual, each, name)  # type: ignore[misc]  # the stubs leave it out

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return "number" if pyobject == "Decimal" else TYPES_MAP.get(pyobject, "unknown")

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        parts = [kind.partition("-") for kind in types]  # such as array-number
        allowed = [name for kind, _, _ in parts for name in _PYTHON_TYPES[kind]]
        return allowed, [_PYTHON_TYPES[element] for _, _, element in parts if element]

    # JMESPath's own, told that a Decimal is a number and that nothing becomes a float

    @signature({"types": ["array-number"]})
    def _func_avg(self, numbers: list[Number]) -> Decimal | None:
        return _DYNAMODB.divide(Decimal(sum(numbers)), len(numbers)) if numbers else None

    @signature({"types": []})
    def _func_to_number(self, value: Plain | int) -> Number | None:
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

    # Ours

    @signature({"types": ["number", "null"]}, {"types": ["number", "null"], "variadic": True})
    def _func_add(self, *numbers: Number | None) -> Decimal | None:
        return _reduced(operator.add, numbers)

    @signature({"types": ["number", "null"]}, {"types": ["number", "null"]})
    def _func_subtract(self, *numbers: Number | None) -> Decimal | None:
        return _reduced(operator.sub, numbers)

    @signature({"types": ["number", "null"]}, {"types": ["number", "null"], "variadic": True})
    def _func_multiply(self, *numbers: Number | None) -> Decimal | None:
        return _reduced(operator.mul, numbers)

    @signature({"types": ["string", "null"]})
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @signature({"types": ["string", "null"]})
    def _func_upper(self, text: str | None) -> str | None:
        return None if text is None else text.upper()

    @signature(
        {"types": ["string", "number", "null"]}, {"types": ["string", "number", "null"], "variadic": True}
    )
    def _func_concat(self, *parts: str | Number | None) -> str | None:
        return None if None in parts else "".join(map(self._func_to_string, parts))

    _func_coalesce = Functions.FUNCTION_TABLE["not_null"]["function"]  # by the name that SQL gave it

    @signature({"types": ["string", "number", "null"]})
    def _func_iso_year(self, moment: str | Number | None) -> str | None:
        return None if moment is None else in_utc(moment)[: len("2026")]

    @signature({"types": ["string", "number", "null"]})
    def _func_iso_month(self, moment: str | Number | None) -> str | None:
        return None if moment is None else in_utc(moment)[: len("2026-11")]

    @signature({"types": ["string", "number", "null"]})
    def _func_iso_date(self, moment: str | Number | None) -> str | None:
        return None if moment is None else in_utc(moment)[: len("2026-11-21")]

    @signature({"types": ["string", "number", "null"]})
    def _func_iso_hour(self, moment: str | Number | None) -> str | None:
        return None if moment is None else in_utc(moment)[: len("2026-11-21T14")]


def _reduced(
    compute: Callable[[Decimal, Decimal], Decimal], numbers: Sequence[Number | None]
) -> Decimal | None:
    known = [Decimal(number) for number in numbers if number is not None]
    return reduce(compute, known) if len(known) == len(numbers) else None


FUNCTIONS = _Functions()
