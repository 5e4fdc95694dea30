"""JMESPath over a change's plain values, with functions of our own for what it lacks.

parsing.py reads an expression and sees what can never work, literals.py keeps its numbers as they are
written, functions.py is what may be called, dates.py tells the UTC date of a text or a number, expression.py
is what others use.

Pure: no I/O, no clock, nothing of settings, shards or processors.
"""

from consumer.expressions.expression import Expression, follow

__all__ = ["Expression", "follow"]
