"""Arithmetic in update expressions, with 38 digits.

The gap: ministack adds in Python's default context, which rounds to 28 digits. AWS ("Supported data types and
naming rules"): numbers hold up to 38 digits. A ministack that adds with 38 lets this go.
"""

import decimal
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from sandbox.emulator import Service

DIGITS = 38

P = ParamSpec("P")
R = TypeVar("R")


def apply(dynamodb: Service) -> None:
    """Run ministack's updates in a context of 38 digits."""
    for name in ("_apply_update_expression", "_apply_attribute_updates"):
        dynamodb[name] = _precise(dynamodb[name])


def _precise(update: Callable[P, R]) -> Callable[P, R]:
    def precise(*arguments: P.args, **named: P.kwargs) -> R:
        with decimal.localcontext(prec=DIGITS):
            return update(*arguments, **named)

    return precise
