"""Whose fault an error of PostgreSQL is: a closed list of codes is the record's, everything else an outage.

PostgreSQL documentation, Appendix A, "PostgreSQL Error Codes".
"""

from collections.abc import Mapping

import psycopg

from consumer.errors import Rejected, TidemarkError, Unavailable

_OF_THE_VALUE = ("22", "23")
"""Data exceptions, and violated constraints: what the table can't take of this row."""

_ALSO_OF_THE_VALUE = frozenset({"44000", "P0001"})
"""A view's check option; a trigger that raises an exception of its own."""

_OF_THE_RECORD = frozenset({"21000", "22021", "22P05", "54000", "54001"})
"""One row twice in a statement, a NUL character, too large for an index, nested too deeply: in any table."""

_OF_THE_SETTINGS = ("0A", "3F", "42")
"""What PostgreSQL can't do, a schema that isn't there, and statements of wrong names, types or rights."""

_TWICE = "21000"

CONTENTION: Mapping[str, int] = {"40001": 6, "40P01": 6, "55P03": 1}
"""Serialization failure, dead-lock, lock not had in time: another transaction's doing, and soon over.

How often each is tried again at once; a lock was waited for already.
"""

BROKEN_BY_NOBODY = frozenset({*CONTENTION, "57014"})
"""After these the connection is as good as before (57014: canceled, or over its time)."""


def blame(error: psycopg.Error) -> Rejected | Unavailable:
    """The error as the record's or the store's, in the server's words.

    Its code is the condition's name in psycopg: `NumericValueOutOfRange`, `DeadlockDetected`.
    """
    code, words = type(error).__name__, said(error)
    if is_of_the_record(error):
        if error.sqlstate == _TWICE:
            message = f"two rows of one batch have the same key in PostgreSQL: {words}"
            return Rejected(message, code="KeyNotUnique")
        by_store = error.sqlstate is not None and error.sqlstate not in _OF_THE_RECORD
        return Rejected(f"PostgreSQL: {words}", code=code, by_store=by_store)
    return Unavailable(f"PostgreSQL: {words}", code=code, of_item=error.sqlstate in CONTENTION)


def is_of_the_record(error: psycopg.Error) -> bool:
    """Whether the record's values are what the server, or psycopg before it, could not take."""
    state = error.sqlstate
    if state is None:
        return type(error) is psycopg.DataError  # psycopg itself: a NUL character
    return state.startswith(_OF_THE_VALUE) or state in _ALSO_OF_THE_VALUE or state in _OF_THE_RECORD


def is_of_the_settings(error: TidemarkError) -> bool:
    """Whether what was refused while a target was looked at or made is for a person to put right."""
    state = state_of(error)
    return state is not None and (isinstance(error, Rejected) or state.startswith(_OF_THE_SETTINGS))


def said(error: psycopg.Error) -> str:
    """What the server said, on one line; not its CONTEXT, which has whole rows in it."""
    parts = (error.diag.message_primary or str(error), error.diag.message_detail)
    return " ".join(" ".join(part.split()) for part in parts if part)


def state_of(error: TidemarkError) -> str | None:
    """The SQLSTATE behind an error; None: it was not the server that said it."""
    cause = error.__cause__
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
