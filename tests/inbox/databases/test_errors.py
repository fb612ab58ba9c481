"""Test that errors which can pass are distinguished from mistakes by the codes of the databases."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.errors import can_pass, lost_session, translated


def sqlstate(code: str) -> psycopg.Error:
    """Return the error that psycopg raises for a SQLSTATE."""
    error = psycopg.errors.lookup(code)("said by the server")
    assert error.sqlstate == code
    return error


def sqlite_error(code: int) -> sqlite3.Error:
    """Return an error with SQLite's result code; its class is the same for a full disk and a missing table."""
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "passes", "lost"),
    [
        ("08006", True, True),  # connection failure
        ("57P01", True, True),  # admin shutdown
        ("57P03", True, True),  # cannot connect now
        ("57014", True, False),  # query canceled
        ("25006", True, True),  # read-only SQL transaction
        ("0A000", True, True),  # feature not supported: cached plan must not change result type
        ("53100", True, False),  # disk full
        ("53300", True, False),  # too many connections
        ("40001", True, False),  # serialization failure
        ("40P01", True, False),  # deadlock detected
        ("55P03", True, False),  # lock not available
        ("58030", True, False),  # I/O error
        ("28P01", True, False),  # invalid password
        ("3D000", True, False),  # no such database
        ("42501", True, False),  # insufficient privilege
        ("25P03", True, True),  # idle-in-transaction session timeout
        ("25P04", True, True),  # transaction timeout
        ("42P01", True, False),  # undefined table
        ("42703", True, False),  # undefined column
        ("3F000", True, False),  # invalid schema name
        ("42601", False, False),  # syntax error
        ("23505", False, False),  # unique violation
        ("22021", False, False),  # character not in repertoire
        ("25001", False, False),  # active SQL transaction
    ],
)
def test_postgres_errors_by_sqlstate(code: str, passes: bool, lost: bool) -> None:
    """The class of the SQLSTATE decides, also inside SQLAlchemy's own error."""
    error = sqlstate(code)
    wrapped = DBAPIError("SELECT 1", None, error)
    assert [can_pass(error), can_pass(wrapped)] == [passes, passes]
    assert [lost_session(error), lost_session(wrapped)] == [lost, lost]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (psycopg.OperationalError("connection refused"), True),
        (psycopg.InterfaceError("the connection is closed"), True),
        (psycopg.ProgrammingError("cannot adapt type 'object'"), False),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL"), False),
    ],
)
def test_psycopg_errors_without_sqlstate(error: psycopg.Error, passes: bool) -> None:
    """Without a SQLSTATE the server was not reached, or the value could not be sent."""
    assert (can_pass(error), lost_session(error)) == (passes, passes)


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_CANTOPEN, True),
        (sqlite3.SQLITE_READONLY, True),
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False),
        (sqlite3.SQLITE_MISMATCH, False),
    ],
)
def test_sqlite_errors_by_result_code(code: int, passes: bool) -> None:
    """The primary result code decides, also of an extended one."""
    assert can_pass(sqlite_error(code)) == passes


def test_other_errors() -> None:
    """A missing folder and an exhausted pool can pass, a mistake in Python cannot."""
    assert can_pass(FileNotFoundError("data"))
    assert can_pass(PoolTimeoutError())
    assert not can_pass(ZeroDivisionError())
    assert not can_pass(sqlite3.ProgrammingError("Incorrect number of bindings supplied"))


def test_translated_keeps_mistakes_and_the_cause() -> None:
    """Callers see StoreUnavailable with the database's words, or the mistake itself."""
    with pytest.raises(StoreUnavailable, match="said by the server") as caught, translated():
        raise sqlstate("53100")
    assert isinstance(caught.value.__cause__, psycopg.errors.DiskFull)
    with pytest.raises(psycopg.errors.UniqueViolation), translated():
        raise sqlstate("23505")
