"""Run SQL on the driver's connection, where SQLAlchemy would take longer for a statement than the database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine import Compiled
from sqlalchemy.sql.compiler import SQLCompiler

from webhooks.inbox.databases.errors import lost_session

Row = dict[str, Any]
# The queries that SQLAlchemy has built, by the name of the database. Each is a constant of a module.
_COMPILED: dict[tuple[Select[Any], str], Compiled] = {}


def rows(connection: Connection, statement: str, *values: Any) -> list[Row]:
    """Return all rows of a query. A value is written `?` in it, and a list of values `(?*)`."""
    return as_rows(execute(connection, statement, *values))


def query(connection: Connection, statement: Select[Any], **values: Any) -> list[Row]:
    """Return all rows of a query that SQLAlchemy has built, with these values of its parameters, as the driver does."""
    key = (statement, connection.dialect.name)
    compiled = _COMPILED.get(key) or _COMPILED.setdefault(key, statement.compile(dialect=connection.dialect))
    assert isinstance(compiled, SQLCompiler)
    parameters: Any = compiled.construct_params(values)
    if compiled.positional:
        parameters = tuple(parameters[name] for name in compiled.positiontup or ())
    return as_rows(run(connection, compiled.string, parameters))


def execute(connection: Connection, statement: str, *values: Any) -> Any:
    """Run a statement in the same notation within the connection's transaction, and return the driver's cursor."""
    flat, lengths = list[Any](), list[int]()
    for value in values:
        if isinstance(value, list):
            flat += (padded := _padded(value))
            lengths.append(len(padded))
        else:
            flat.append(value)
    return run(connection, _sql(statement, connection.dialect.name, tuple(lengths)), tuple(flat))


def execute_many(connection: Connection, statement: str, many: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement once for each of the tuples of values, if there are any."""
    if not many:
        return
    try:
        connection.connection.cursor().executemany(_sql(statement, connection.dialect.name, ()), many)
    except Exception as error:
        discard_lost(connection, error)
        raise


def run(connection: Connection, statement: str, parameters: Any) -> Any:
    """Run a statement in the driver's own notation, and return its cursor."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, parameters)
    except Exception as error:
        discard_lost(connection, error)
        raise
    return cursor


def as_rows(cursor: Any) -> list[Row]:
    """Return all rows of the driver's cursor."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def discard_lost(connection: Connection, error: Exception) -> None:
    """Take the connection out of the pool if its session is lost, as SQLAlchemy does after its own statements.

    Else it would be used again, or the pool would log a traceback while it tries to roll back.
    """
    if lost_session(error):
        connection.invalidate(error)


def _padded(values: list[Any]) -> list[Any]:
    """Return the values with the last one repeated, so that few statements serve all numbers of values."""
    values = values or [None]
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


@cache
def _sql(statement: str, dialect: str, lengths: tuple[int, ...]) -> str:
    """Return the statement with the driver's placeholders, as many in each list as its length."""
    first, *others = statement.split("(?*)")
    filled = first + "".join(
        f"({', '.join('?' * length)}){other}" for length, other in zip(lengths, others, strict=True)
    )
    return filled if dialect == "sqlite" else filled.replace("?", "%s")
