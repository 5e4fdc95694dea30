"""Whose fault each error of PostgreSQL is; the codes are those of its documentation, Appendix A."""

import psycopg
import pytest
from psycopg import errors

from consumer.errors import Rejected, Unavailable
from consumer.stores.postgresql.faults import blame, is_of_the_settings

REJECTED_BY_THE_TABLE = [
    errors.NumericValueOutOfRange,
    errors.InvalidTextRepresentation,
    errors.StringDataRightTruncation,
    errors.InvalidDatetimeFormat,
    errors.DatetimeFieldOverflow,
    errors.NotNullViolation,
    errors.ForeignKeyViolation,
    errors.UniqueViolation,
    errors.CheckViolation,
    errors.ExclusionViolation,
    errors.WithCheckOptionViolation,
    errors.RaiseException,
]
REJECTED_ANYWHERE = [
    errors.UntranslatableCharacter,
    errors.CharacterNotInRepertoire,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
]
CONTENTION = [errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable]
UNAVAILABLE = [
    errors.AdminShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.DiskFull,
    errors.OutOfMemory,
    errors.QueryCanceled,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InsufficientPrivilege,
    errors.SyntaxError,
    errors.InternalError_,
    errors.DataCorrupted,
    psycopg.OperationalError,
    psycopg.InterfaceError,
]


@pytest.mark.parametrize("kind", REJECTED_BY_THE_TABLE)
def test_what_the_table_cannot_take_of_a_row_is_the_records_fault_or_many_times_the_tables(
    kind: type[psycopg.Error],
) -> None:
    error = blame(kind("words"))
    assert isinstance(error, Rejected)
    assert (error.code, error.by_store, str(error)) == (kind.__name__, True, "PostgreSQL: words")


@pytest.mark.parametrize("kind", REJECTED_ANYWHERE)
def test_what_no_table_could_take_is_the_records_fault_alone(kind: type[psycopg.Error]) -> None:
    error = blame(kind("words"))
    assert isinstance(error, Rejected)
    assert (error.code, error.by_store) == (kind.__name__, False)


def test_a_nul_character_that_the_client_itself_refuses_is_the_records_fault_alone() -> None:
    error = blame(psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"))
    assert isinstance(error, Rejected)
    assert not error.by_store


def test_one_row_twice_in_a_statement_is_a_key_that_is_not_unique() -> None:
    error = blame(errors.CardinalityViolation("words"))
    assert isinstance(error, Rejected)
    assert (error.code, error.by_store) == ("KeyNotUnique", False)


@pytest.mark.parametrize("kind", CONTENTION)
def test_another_transactions_doing_is_waited_out_and_is_no_outage(kind: type[psycopg.Error]) -> None:
    error = blame(kind("words"))
    assert isinstance(error, Unavailable)
    assert (error.code, error.of_item) == (kind.__name__, True)


@pytest.mark.parametrize("kind", UNAVAILABLE)
def test_whatever_else_there_is_is_an_outage(kind: type[psycopg.Error]) -> None:
    error = blame(kind("words"))
    assert isinstance(error, Unavailable)
    assert (error.code, error.of_item) == (kind.__name__, False)


def test_an_error_is_told_on_one_line() -> None:
    error = blame(psycopg.OperationalError("connection failed:\n\tIs the server running?"))
    assert str(error) == "PostgreSQL: connection failed: Is the server running?"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.UndefinedObject, True),
        (errors.InsufficientPrivilege, True),
        (errors.InvalidSchemaName, True),
        (errors.InvalidParameterValue, True),
        (errors.FeatureNotSupported, True),
        (errors.AdminShutdown, False),
        (psycopg.OperationalError, False),
    ],
)
def test_at_the_start_wrong_names_types_and_rights_are_for_a_person_and_an_outage_is_not(
    kind: type[psycopg.Error],
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    error = blame(kind("words"))
    error.__cause__ = kind("words")
    assert is_of_the_settings(error) is expected
