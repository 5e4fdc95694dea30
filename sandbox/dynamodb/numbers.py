"""Arithmetic in update expressions: exact to 38 digits, or refused.

The gap: ministack adds in Python's default context, which rounds to 28 digits, lets ADD run past the largest
number, and keeps a sum spelled as Python does ("1E+2", "2.50"). AWS ("Supported data types and naming rules";
ScyllaDB's tests of Alternator, run against AWS): numbers hold up to 38 digits, and a sum that needs more, or
is too large, is refused as an overflow; zeros at the end are trimmed. A ministack that does so lets this go.
"""

import decimal
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.emulator import Service

EXACT = decimal.Context(
    prec=38, Emin=-130, Emax=125, traps=[decimal.Inexact, decimal.Overflow, decimal.Subnormal]
)
Item = dict[str, Mapping[str, Any]]


def apply(dynamodb: Service) -> None:
    """Run ministack's updates in a context of 38 digits."""
    canonical: Callable[[str], str] = dynamodb["_ddb_canonicalize_number"]

    def spelled(value: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"N": canonical(value["N"])} if "N" in value else value

    def precise(update: Callable[..., Any], refused: type[Exception]) -> Callable[..., Any]:
        def precise_update(*arguments: object, **named: object) -> object:
            try:
                with decimal.localcontext(EXACT):
                    updated = update(*arguments, **named)
            except decimal.DecimalException:
                raise refused(dynamodb["_NUM_OVERFLOW"]) from None
            item: Item = updated[0] if isinstance(updated, tuple) else updated
            item.update({name: spelled(value) for name, value in item.items()})
            return updated

        return precise_update

    dynamodb["_apply_update_expression"] = precise(dynamodb["_apply_update_expression"], ValueError)
    dynamodb["_apply_attribute_updates"] = precise(
        dynamodb["_apply_attribute_updates"], dynamodb["_AttributeUpdatesValidationError"]
    )
