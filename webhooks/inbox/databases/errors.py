"""Distinguish temporary errors, such as a full disk, from mistakes in a statement, by the databases' codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from webhooks.errors import StoreUnavailable

# Primary result codes after which the same statement would fail again, https://sqlite.org/rescode.html
SQLITE_MISTAKES = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
}
# Classes of SQLSTATE that depend on the state of the server: connection, authorization, transaction rollback,
# resources, object state, operator intervention, system and internal errors,
# https://www.postgresql.org/docs/current/errcodes-appendix.html
PASSING_CLASSES = {"08", "28", "3D", "40", "53", "55", "57", "58", "F0", "XX"}
READ_ONLY = "25006"
INSUFFICIENT_PRIVILEGE = "42501"
# A schema, table or column is missing: the statements are our own, so a backup is being restored.
UNDEFINED = {"3F000", "42P01", "42703"}
# A newer version of the server has added a column to a table whose rows a prepared statement of this session returns.
CHANGED_TABLE = "0A000"
# The transaction, or a pause in it, took longer than PostgreSQL's settings allow, and its session was ended.
TIMED_OUT = {"25P03", "25P04"}
# A table or a column is missing: the statements are our own, so it is the file that was damaged or replaced.
SQLITE_UNDEFINED = ("no such table", "no such column", "has no column")
# Classes after which the session is of no use: the connection is broken, or the server shuts down.
LOST_SESSION_CLASSES = {"08", "57"}
QUERY_CANCELED = "57014"


def can_pass(error: BaseException) -> bool:
    """Return whether the operation may succeed later, so that it is not the operation that is wrong."""
    if isinstance(error, (StoreUnavailable, OSError, PoolTimeoutError)):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_ERROR:
            return any(text in str(cause) for text in SQLITE_UNDEFINED)
        return code is not None and code & 0xFF not in SQLITE_MISTAKES
    sqlstate: str | None = getattr(cause, "sqlstate", "")
    if sqlstate is None:
        return _is_client_side_failure(cause)
    passing = {READ_ONLY, CHANGED_TABLE, INSUFFICIENT_PRIVILEGE, *UNDEFINED, *TIMED_OUT}
    return sqlstate[:2] in PASSING_CLASSES or sqlstate in passing


def lost_session(error: BaseException) -> bool:
    """Return whether PostgreSQL's session is of no use after this error and another one may work.

    That includes a session that has become read-only, as after a fail-over, and one that was there before a migration.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate: str | None = getattr(cause, "sqlstate", "")
    if sqlstate is None:
        return _is_client_side_failure(cause)
    if sqlstate in {READ_ONLY, CHANGED_TABLE, *TIMED_OUT}:
        return True
    return sqlstate[:2] in LOST_SESSION_CLASSES and sqlstate != QUERY_CANCELED


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable in place of an error that can pass."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception as error:
        if not can_pass(error):
            raise
        raise unavailable(error) from error


def unavailable(error: Exception) -> StoreUnavailable:
    """Return the error to raise in place of one that can pass."""
    if isinstance(error, StoreUnavailable):
        return error
    # The drivers write several lines; one is easier to find in a log.
    wrapped = StoreUnavailable(" ".join(str(getattr(error, "orig", None) or error).split()))
    wrapped.__cause__ = error
    return wrapped


def _is_client_side_failure(error: BaseException | None) -> bool:
    """Return whether psycopg could not reach the server or has lost it; it has no SQLSTATE for that.

    The other errors without a SQLSTATE are about values that psycopg cannot send.
    """
    # https://peps.python.org/pep-0249/#exceptions; by name, because psycopg is only loaded where it is used.
    return bool({kind.__name__ for kind in type(error).__mro__} & {"OperationalError", "InterfaceError"})
