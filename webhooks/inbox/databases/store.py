"""What the inbox asks of a database: read, write, and what time it is."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from webhooks.clock import from_timestamp
from webhooks.errors import StoreUnavailable

T = TypeVar("T")
Operation = Callable[[Connection], T]
Clock = Callable[[], float]
"""Gives seconds since 1970, UTC."""

ACK_SECONDS = 2.0
"""Tableau gives up after 3 s; an event that is not safe by then gets an honest 503."""
WRITE_SECONDS = 30.0


OPEN_STORES: WeakSet[Store] = WeakSet()
LEFT_BEHIND: list[object] = []
"""A parent's connections, kept from being collected in its child: that would close them for the parent."""


def _after_fork() -> None:
    for store in list(OPEN_STORES):
        store.forked()


# A server that loads the application before it forks may have asked the inbox something by then.
os.register_at_fork(after_in_child=_after_fork)


class Store(ABC):
    """One database, open. `write` and `read` run a function with a connection and give back what it returns.

    An operation may be run again after a failure, so it must do nothing but SQL. All raise StoreUnavailable when the
    database does not answer in `timeout` seconds.

    There are two clocks. Leases and due times go by `now`, which never jumps; what people read (`wall`) goes by the
    clock that they know.
    """

    placeholder: str
    """The driver's own mark for a value, for the one statement that is written by hand."""

    prepare: Callable[[], None] = staticmethod(lambda: None)
    """Brings the schema up to date; run once, before the first read or write that reaches the database."""

    def __init__(self) -> None:
        self._ready = False
        self._preparing = threading.Lock()
        OPEN_STORES.add(self)

    def forked(self) -> None:
        """In a child process: the parent's connections, threads and locks are left alone, new ones are made."""
        self._preparing = threading.Lock()

    def ensure(self) -> None:
        """Prepares the database unless that is done. A server may start before its database does."""
        if self._ready:
            return
        if not self._preparing.acquire(timeout=ACK_SECONDS / 2):
            raise StoreUnavailable("the database has not been reached yet")
        try:
            if not self._ready:
                self.prepare()
                self._ready = True
        finally:
            self._preparing.release()

    @abstractmethod
    def write(self, operation: Operation[T], *, timeout: float = WRITE_SECONDS) -> T: ...

    @abstractmethod
    def keep(self, row: Sequence[Any]) -> tuple[int, int]:
        """Commits an event, or counts its duplicate; gives its id and the number of duplicates. `row` has the values of
        `keeping.COLUMNS` but the last, the time."""

    @abstractmethod
    def insert(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Commits one statement on the way to an acknowledgement, and gives the row that it returns."""

    @abstractmethod
    def read(self, operation: Operation[T]) -> T: ...

    @abstractmethod
    def now(self) -> ColumnElement[float]:
        """The time by the clock that all users of this database share."""

    @abstractmethod
    def seconds(self, connection: Connection) -> float:
        """`now` as a number, for several statements that are to agree on it."""

    def wall(self, seconds: float) -> float:
        """The time on people's clock at `seconds` of `now`."""
        return seconds

    @abstractmethod
    def stamp(self) -> tuple[str, tuple[float, ...]]:
        """People's time for a statement written by hand: its text and the values that go with it."""

    @abstractmethod
    def version(self) -> str | None:
        """The revision of the schema; None in a fresh database."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction that no other process migrates beside."""

    @abstractmethod
    def size(self) -> int:
        """Bytes on disk."""

    @abstractmethod
    def listen(self, heard: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Calls `heard` soon after another process commits something, until `stopping()`. A hint; polling is the
        truth."""

    @abstractmethod
    def tidy(self) -> None:
        """Gives disk space back that deleted rows left; in small steps, while others work."""

    @abstractmethod
    def close(self) -> None: ...


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that may go on with ON CONFLICT, in this connection's dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else from_timestamp(seconds)
