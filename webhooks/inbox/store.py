"""What the inbox asks of a database: read, write, and what time it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Operation = Callable[[Connection], T]
Clock = Callable[[], float]
"""Gives seconds since 1970, UTC."""

ACK_SECONDS = 2.0
"""Tableau gives up after 3 s; an event that is not safe by then gets an honest 503."""
WRITE_SECONDS = 30.0


class Store(ABC):
    """One database, open. `write` and `read` run a function with a connection and give back what it returns.

    An operation may be run again after a failure, so it must do nothing but SQL. Both raise StoreUnavailable when the
    database does not answer in `timeout` seconds.
    """

    placeholder: str
    """The driver's own mark for a value, for the one statement that is written by hand."""

    @abstractmethod
    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T: ...

    def insert(self, operation: Operation[T], *, timeout: float = ACK_SECONDS) -> T:
        """`write` for a single statement on the way to an acknowledgement."""
        return self.write(operation, timeout=timeout)

    @abstractmethod
    def read(self, operation: Operation[T]) -> T: ...

    @abstractmethod
    def now(self) -> ColumnElement[float]:
        """The time by the clock that all users of this database share."""

    @abstractmethod
    def seconds(self, connection: Connection) -> float:
        """`now` as a number, for several statements that are to agree on it."""

    @abstractmethod
    def stamp(self) -> tuple[str, tuple[float, ...]]:
        """`now` for a statement written by hand: its text and the values that go with it."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction that no other process migrates beside."""

    @abstractmethod
    def size(self) -> int:
        """Bytes on disk."""

    def listen(self, heard: Callable[[], None], stopping: Callable[[], bool]) -> None:  # noqa: B027 — not every store can
        """Calls `heard` whenever another process commits an event, until `stopping()`; may return at once."""

    @abstractmethod
    def close(self) -> None: ...


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that may go on with ON CONFLICT, in this connection's dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def instant(seconds: float) -> datetime:
    """An aware UTC time from the database's seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else instant(seconds)
